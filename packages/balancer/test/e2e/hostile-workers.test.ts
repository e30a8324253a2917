// Malicious workers: the primary survives whatever they send over Node's own IPC, serves on, and keeps nothing open for them. As root the test
// gives them another user.

import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { descriptorSender } from '../../../../test/support/sends-descriptors.ts'
import { exchange, get } from './support/raw-client.ts'
import { startBalancer } from './support/running-balancer.ts'

const OTHER = 20_003
/** Descriptors that node:cluster keeps for workers that asked for them, and that answers hold for a moment. */
const MAX_HELD = 64 + 8
const test = suite('hostile workers', { timeoutMs: 60_000 })
const sender = descriptorSender()
chmodSync(dirname(sender), 0o755)

const deeds = ['garbage', 'acknowledge', 'descriptors', 'twice', 'nonsense', 'handles', 'udp', 'files', 'burst']

for (const channel of ['native', 'portable']) {
  test(`over the ${channel} channel the primary survives malicious messages`, async () => {
    const isRoot = process.getuid?.() === 0
    const balancer = await startBalancer({
      config: {
        app: 'hostile-app.mjs',
        pools: { web: { workers: 1 }, plugin: { workers: 1, ...(isRoot && { uid: OTHER, gid: OTHER }) } },
        routes: [{ path: '/plugin/*', pool: 'plugin' }],
      },
      env: { SWITCHYARD_CHANNEL: channel, SENDER: sender },
      wait: false,
    })
    chmodSync(balancer.temporary, 0o711)
    await balancer.untilReady()
    await balancer.untilAllReady()
    const { pid, descriptors } = balancer
    const first = await exchange(balancer.port, get('/plugin/none'))
    for (const deed of deeds) {
      const { status, body } = await exchange(balancer.port, get(`/plugin/${deed}`))
      assert.equal([status, `${body}`], [200, `${first.body}`], deed)
      assert.is((await exchange(balancer.port, get('/none'))).status, 200, deed)
    }
    await balancer.untilDescriptors(descriptors + MAX_HELD)
    assert.is(balancer.pid, pid)
    // Its exit closes the descriptors that were opened for it.
    process.kill(Number(`${first.body}`), 'SIGKILL')
    await balancer.untilLine(({ msg }) => msg.startsWith('plugin/0 was ended by SIGKILL'), 'the exit')
    await balancer.untilAllReady()
    await balancer.untilDescriptors(descriptors + 4)
    assert.is(await balancer.stop(), 0)
  })
}

test.run()
