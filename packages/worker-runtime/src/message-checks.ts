// The checks of the messages between the primary and a worker, on arrival. An app may send messages of its own, and workers are not trusted.

import { VISITOR_KEY_LENGTH } from '@switchyard/routing'
import { readCuts } from './cut-messages.ts'
import { readHandshakes } from './handshake-messages.ts'
import { isRecord, readAddress, readTlsTicketStart } from './listen-protocol.ts'
import { Checked, readLoad } from './load-messages.ts'
import { readFamilies, readRouteExemplars } from './metric-messages.ts'
import { readObservations } from './observation-messages.ts'
import type { SessionReport, ToPrimary, ToWorker } from './protocol.ts'
import { readCommands } from './session-messages.ts'
import { readTlsChange } from './tls-start.ts'
import { readChoices, readUpstreamChange, readUpstreamReport } from './upstream-messages.ts'

const MAX_NOTICE = 2000
/** Visitor keys of one response. */
const MAX_LEARNED = 64
/** Tickets of one connection: those that it presents, and two that it gets. */
const MAX_TICKETS = 10
const MAX_SLOT = 2 ** 16 - 2
/** 16 bytes in base64url. */
const TICKET_NAME = /^[\w-]{22}$/
const VISITOR_KEY = new RegExp(`^[\\w-]{${VISITOR_KEY_LENGTH}}$`)

/** A valid message from a worker, else undefined. Workers are not trusted, and an app may send messages of its own. */
export function readFromWorker(message: unknown): ToPrimary | undefined {
  if (!isRecord(message)) return undefined
  switch (message.switchyard) {
    case 'drained':
      return { switchyard: 'drained', last: message.last === true }
    case 'first-wanted':
    case 'first-released':
      return { switchyard: message.switchyard }
    case 'listening':
      return isRecord(message.address) ? { switchyard: 'listening', address: readAddress(message.address) } : undefined
    case 'started':
      return { switchyard: 'started' }
    case 'header-limit':
      return { switchyard: 'header-limit', bytes: new Checked().count(message.bytes) }
    case 'learned': {
      const slot = readSlot(message.slot)
      return { switchyard: 'learned', keys: readTexts(message.keys, MAX_LEARNED, VISITOR_KEY), ...(slot !== undefined && { slot }) }
    }
    case 'tls-tickets': {
      const { slot, firm, names } = message
      const known = readSlot(slot)
      if (known === undefined) return undefined
      return { switchyard: 'tls-tickets', slot: known, firm: firm === true, names: readTexts(names, MAX_TICKETS, TICKET_NAME) }
    }
    case 'notice':
      if (typeof message.message !== 'string') return undefined
      return {
        switchyard: 'notice',
        level: message.level === 'warn' ? 'warn' : 'info',
        message: message.message.slice(0, MAX_NOTICE),
        once: message.once === true,
      }
    case 'handshakes': {
      const counts = readHandshakes(message.counts)
      return counts && { switchyard: 'handshakes', counts }
    }
    case 'cuts':
      return { switchyard: 'cuts', cuts: readCuts(message.cuts) }
    case 'choices':
      return { switchyard: 'choices', choices: readChoices(message.choices) }
    case 'upstream': {
      const report = readUpstreamReport(message.report)
      return report && { switchyard: 'upstream', report }
    }
    case 'access-lost':
      return { switchyard: 'access-lost', lines: new Checked().count(message.lines) }
    case 'sessions': {
      const { batch, hears, commands } = message
      if (!Number.isSafeInteger(batch) || !Array.isArray(commands)) return undefined
      return { switchyard: 'sessions', batch: batch as number, hears: hears === true, commands: readCommands(commands) }
    }
    case 'session-report':
      return isRecord(message.report) ? { switchyard: 'session-report', report: readSessionReport(message.report) } : undefined
    case 'observed':
      return { switchyard: 'observed', observed: readObservations(message.observed) }
    case 'metrics':
      return { switchyard: 'metrics', families: readFamilies(message.families), exemplars: readRouteExemplars(message.exemplars) }
    case 'report':
      return isRecord(message.load) ? { switchyard: 'report', load: readLoad(message.load) } : undefined
    default:
      return undefined
  }
}

/** A valid message from the primary, else undefined. */
export function readFromPrimary(message: unknown): ToWorker | undefined {
  if (!isRecord(message)) return undefined
  switch (message.switchyard) {
    case 'drain':
      return { switchyard: 'drain', last: message.last === true, spreadMs: new Checked().amount(message.spreadMs) }
    case 'leave':
      return { switchyard: 'leave' }
    case 'metrics':
      return { switchyard: 'metrics', isWanted: message.isWanted === true }
    case 'first':
      return { switchyard: 'first', isFirst: message.isFirst === true }
    case 'choices':
      return { switchyard: 'choices', isWanted: message.isWanted === true }
    case 'upstream': {
      const change = readUpstreamChange(message)
      return change && { switchyard: 'upstream', ...change }
    }
    case 'visitors': {
      const { slot, keys } = message
      return typeof slot === 'number' && Array.isArray(keys) ? { switchyard: 'visitors', slot, keys } : undefined
    }
    case 'tls': {
      const change = readTlsChange(message)
      return change && { switchyard: 'tls', ...change }
    }
    case 'tls-tickets': {
      const start = readTlsTicketStart(message.start)
      return start && { switchyard: 'tls-tickets', start }
    }
    case 'session-replies': {
      const { batch, replies } = message
      if (!Number.isSafeInteger(batch) || !Array.isArray(replies)) return undefined
      return { switchyard: 'session-replies', batch: batch as number, replies }
    }
    case 'sessions-changed': {
      const { ids } = message
      // An invalid list may mean any session.
      const isList = Array.isArray(ids) && ids.every((id) => typeof id === 'string')
      return { switchyard: 'sessions-changed', ids: isList ? ids : undefined }
    }
    default:
      return undefined
  }
}

function readSlot(from: unknown): number | undefined {
  return Number.isInteger(from) && (from as number) >= 0 && (from as number) <= MAX_SLOT ? (from as number) : undefined
}

/** The first `most` of a list that have this form. */
function readTexts(from: unknown, most: number, form: RegExp): string[] {
  if (!Array.isArray(from)) return []
  return from.slice(0, most).filter((text: unknown): text is string => typeof text === 'string' && form.test(text))
}

function readSessionReport(from: Record<string, unknown>): SessionReport {
  const checked = new Checked()
  return {
    kind: from.kind === 'redis' ? 'redis' : 'embedded',
    state: from.state === 'down' ? 'down' : 'up',
    commands: checked.count(from.commands),
    failed: checked.count(from.failed),
    sumMs: checked.amount(from.sumMs),
    nearEntries: checked.count(from.nearEntries),
    nearHits: checked.count(from.nearHits),
    nearMisses: checked.count(from.nearMisses),
  }
}
