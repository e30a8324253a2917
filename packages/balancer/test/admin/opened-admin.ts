// An admin page over a real socket, around a fixed status.

import * as assert from 'uvu/assert'
import { atSuiteEnd } from '../../../../test/suite.ts'
import { type AdminResult, startAdmin } from '../../src/admin/admin-server.ts'
import { statusOf } from '../support/fake-balancer.ts'

export async function adminOf(status: Parameters<typeof statusOf>[0] = {}): Promise<AdminResult & { url: string }> {
  const admin = await startAdmin({ host: '127.0.0.1', port: 0, explicit: true, names: [] }, { status: () => statusOf(status) })
  atSuiteEnd(() => admin.close())
  assert.type(admin.url, 'string')
  return admin as AdminResult & { url: string }
}

export async function get(url: string, method = 'GET') {
  const response = await fetch(url, { method, headers: { connection: 'close' } })
  return { status: response.status, text: await response.text(), headers: response.headers }
}
