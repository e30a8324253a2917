export const metadata = { title: 'Next.js over HTTP/2' }

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
