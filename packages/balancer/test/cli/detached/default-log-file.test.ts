// Where a detached balancer writes its log.

import { assert, suite } from '../../../../../test/suite.ts'
import { defaultLogFile } from '../../../src/cli/detached/default-log-file.ts'

const test = suite('default log file')

test('the default is in the state folder, one for each folder or config', () => {
  const home = { HOME: '/home/ada' }
  assert.match(defaultLogFile({ folder: '/srv/shop' }, home), /^\/home\/ada\/\.local\/state\/switchyard\/shop-[0-9a-f]{10}\.log$/)
  assert.match(defaultLogFile({ folder: '/srv/shop' }, { ...home, XDG_STATE_HOME: '/state' }), /^\/state\/switchyard\/shop-/)
  assert.match(defaultLogFile({ folder: '/srv/shop' }, { ...home, XDG_STATE_HOME: 'relative' }), /^\/home\/ada\/\.local\/state\//)
  const [one, other] = ['/srv/shop', '/opt/shop'].map((folder) => defaultLogFile({ folder }, home))
  assert.is.not(one, other)
  assert.match(defaultLogFile({ folder: '/srv/shop', file: '/srv/shop/blue.config.ts' }, home), /\/blue\.config\.ts-/)
})

test.run()
