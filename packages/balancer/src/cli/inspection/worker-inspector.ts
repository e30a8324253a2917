// Opens the inspector of a worker. SIGUSR1 makes Node open it, even while the worker hangs, and print its address, which the balancer logs. An app may
// print an address too: only a port on which the worker's own process listens is used.

import { setTimeout as delay } from 'node:timers/promises'
import type { ControlClient } from '../../control/control-client.ts'
import { BalancerError } from '../../errors.ts'
import { INSPECTOR_ADDRESS } from '../../supervisor/workers/hang-stack.ts'
import { listensOn } from '../../system/listens-on.ts'
import { slotName } from '../../worker-name.ts'
import { assertWorkerName } from '../worker-of-name.ts'
import { Inspector } from './inspector.ts'

const OPEN_TIMEOUT_MS = 10_000
/** Lines that may name an inspector that is open already. */
const KEPT_LINES = 1_000

export interface InspectedWorker {
  readonly pid: number
  /** Such as `web/0`. */
  readonly name: string
  readonly inspector: Inspector
  /** Ends the inspector, unless it was open before. */
  close(): Promise<void>
}

/** Throws ERR_UNKNOWN_SEAT if there is no such worker, ERR_INSPECTOR if its inspector can't be opened. `pool` left out: the first. */
export async function openInspector(
  client: ControlClient,
  { pool, slot, proxy }: { pool: string | undefined; slot: number; proxy?: boolean | undefined },
): Promise<InspectedWorker> {
  const { pools } = await client.status()
  const found = pool === undefined ? pools[0] : pools.find(({ name }) => name === pool)
  if (found !== undefined) assertWorkerName(found, { slot, proxy })
  const workers = found?.workers.filter((worker) => worker.slot === slot) ?? []
  const worker = workers.find(({ state }) => state === 'ready') ?? workers[0]
  if (found === undefined || worker === undefined)
    throw new BalancerError(
      'ERR_UNKNOWN_SEAT',
      `there is no worker ${pool ?? found?.name ?? ''}/${slot}; 'balancer status' lists the workers`,
      {
        source: 'system',
      },
    )
  const { pid } = worker
  const name = slotName({ pool: found.name, slot, proxy })
  const lines = client.logs({ lines: KEPT_LINES, follow: true, mark: true, pool: found.name, slot })
  try {
    const opened = await Promise.race([addressOf(pid, lines), delay(OPEN_TIMEOUT_MS, undefined, { ref: false })])
    if (opened === undefined) throw notOpened(name, 'it has not printed its address')
    const inspector = await Inspector.connect(opened.url)
    return { pid, name, inspector, close: () => inspector.close(!opened.isEarlier) }
  } catch (error) {
    throw error instanceof BalancerError ? error : notOpened(name, (error as Error).message)
  } finally {
    void lines.return(undefined)
  }
}

interface Address {
  readonly url: string
  /** It was open before: the worker was started with `--inspect`. */
  readonly isEarlier: boolean
}

async function addressOf(pid: number, lines: ReturnType<ControlClient['logs']>): Promise<Address | undefined> {
  let isEarlier = true
  for await (const line of lines) {
    if ('kept' in line) {
      isEarlier = false
      process.kill(pid, 'SIGUSR1')
    } else if ('line' in line) {
      const [, url, port] = INSPECTOR_ADDRESS.exec(line.line.msg) ?? []
      if (url !== undefined && (await listensOn(pid, Number(port)))) return { url, isEarlier }
    }
  }
  return undefined
}

function notOpened(name: string, why: string): BalancerError {
  return new BalancerError(
    'ERR_INSPECTOR',
    `The inspector of ${name} can't be opened: ${why}. Run the command as the user of the worker, on its machine; an app with a listener for SIGUSR1 of its own keeps the signal`,
    { source: 'system' },
  )
}
