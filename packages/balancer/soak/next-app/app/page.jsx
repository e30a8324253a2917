import { headers } from 'next/headers'
import Image from 'next/image'

export default async function Page() {
  const host = (await headers()).get('host')
  return (
    <main>
      <p id="host">{host}</p>
      <Image src="/square.png" alt="a square" width={64} height={64} />
    </main>
  )
}
