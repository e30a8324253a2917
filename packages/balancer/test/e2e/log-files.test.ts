// The log files of workers, from the app that prints to the command that reads them back.

import { userInfo } from 'node:os'
import { suite } from '../../../../test/suite.ts'
import { printEverything, printOnFullDisk } from './support/log-run.ts'

const MB = 1e6
const test = suite('log files', { timeoutMs: 60_000 })

test('output of four workers, rotated and compressed: no line is lost or torn, and the memory stays flat', () =>
  printEverything({ bytes: 40 * MB, logs: { rotate: { size: '2M', keep: 1_000 } } }))

// A small disk is mounted, which root may do.
if (userInfo().uid === 0)
  test('a disk that is full for a while: no request fails, and every lost line is counted', () => printOnFullDisk(90 * MB))

test.run()
