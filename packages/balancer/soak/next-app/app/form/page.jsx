import { cookies } from 'next/headers'

async function save(form) {
  'use server'
  ;(await cookies()).set('name', form.get('name'))
}

export default async function Page() {
  const name = (await cookies()).get('name')?.value ?? 'nobody'
  return (
    <form action={save}>
      <p>{`hello ${name}`}</p>
      <input name="name" />
      <button type="submit">Save</button>
    </form>
  )
}
