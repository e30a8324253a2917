import { connection } from 'next/server'
import { Suspense } from 'react'

async function Late() {
  await connection()
  await new Promise((resolve) => setTimeout(resolve, 300))
  return <p>the late part</p>
}

export default function Page() {
  return (
    <Suspense fallback={<p>the first part</p>}>
      <Late />
    </Suspense>
  )
}
