// The words that sources and docs do without, as data, and the check that holds them to it. CONTRIBUTING.md has the rules.

import { commentsOf } from '../scripts/source-text.mjs'

/** A source or a page, by its path from the root of the checkout, with `/`. */
export interface Text {
  readonly file: string
  readonly text: string
}

/** Not used in names, comments or texts of the sources: the field has a better word, or the word says nothing. */
const UNUSED_WORDS = new Map([
  ['master', 'primary'],
  ['slave', 'worker'],
  ['manager', 'what the class does'],
  ['helper', 'what it does'],
  ['utils', 'what they do'],
  ['common', 'what it holds'],
  ['strategy', 'policy'],
  ['instance', 'worker'],
  ['door', 'acceptor'],
  ['seat', 'slot'],
  ['desk', 'what it does'],
  ['heirloom', 'state transfer'],
  ['estate', 'state transfer'],
  ['neighbour', 'the old or the new primary'],
])

/** Places where a word of the list above is the right one. */
const ALLOWED_PHRASES: readonly { phrase: RegExp; where: RegExp; why: string }[] = [
  { phrase: /\bservice[- ]?managers?\b/gi, where: /./, why: 'the field calls systemd and its like service managers' },
  { phrase: /\bpackage[- ]?managers?\b/gi, where: /./, why: 'the field calls pnpm and its like package managers' },
  { phrase: /\bapache2-utils\b/g, where: /^scripts\//, why: 'a package of Debian' },
  { phrase: /\bmanager\b/g, where: /\/system\/|\/system-integration\.ts$/, why: 'a service manager, as a variable' },
  { phrase: /\binstanceof\b|\bfor instance\b/gi, where: /./, why: 'JavaScript, and plain English' },
  { phrase: /\bNODE_APP_INSTANCE\b/g, where: /./, why: 'the variable that PM2 sets' },
  { phrase: /\binstances\b/g, where: /\/cli\/|\bpm2\b|from-pm2/, why: 'the option `--instances`, and the same of PM2' },
  { phrase: /\binstance_?[vV]ar\b/g, where: /\bpm2\b/, why: 'an option of PM2' },
  {
    phrase: /\bin common\b|\bCommonJS\b|\bcommonLength\b/gi,
    where: /./,
    why: 'plain English, a module system, the length of a common prefix',
  },
  {
    phrase: /\bmasters?\b|master-?name|MASTERDOWN|\b\w*retryStrategy\b/gi,
    where: /\/(redis|session)-[a-z-]+\.ts$/,
    why: 'the words of Redis and of ioredis',
  },
  {
    phrase: /\bSeat\b|\bseatWeight\b|\bseatBroken\b|\bERR_UNKNOWN_SEAT\b/g,
    where: /./,
    why: 'exported names, event names and error codes stay',
  },
  { phrase: /'heirloom'|\bheirlooms\b/g, where: /\/upgrade\//, why: 'what primaries of other versions send' },
]

/** Vague as subjects: name the worker, the client, the connection. */
const VAGUE_WORD = '(?:who|whoever|nobody|somebody)'
/** A clause begins after a mark, or after a word that joins clauses. After a comma or `and`, `who` is relative: its noun stands before it. */
const VAGUE_SUBJECT = new RegExp(
  `(?:^|\\(|[.!?:;]\\s+["']?)${VAGUE_WORD}\\b|(?:,\\s+|\\b(?:and|but|if|when|while|that|because|so|since|until|where)\\s+)(?:whoever|nobody|somebody)\\b`,
  'gi',
)

/** Every breach in sources and pages (`*.md`), as `file:line: …`. */
export function wordBreaches(texts: readonly Text[]): string[] {
  return texts.flatMap(({ file, text }) => (file.endsWith('.md') ? vagueSubjects(file, pageTexts(text)) : sourceBreaches(file, text)))
}

function sourceBreaches(file: string, text: string): string[] {
  return [...unusedWords(file, file), ...unusedWords(file, text), ...vagueSubjects(file, commentsOf(text))]
}

function unusedWords(file: string, text: string): string[] {
  let rest = text
  for (const { phrase, where } of ALLOWED_PHRASES) if (where.test(file)) rest = rest.replace(phrase, '')
  return rest.split('\n').flatMap((line, index) =>
    [...new Set(wordsOf(line))].map(singular).flatMap((word) => {
      const better = UNUSED_WORDS.get(word)
      return better === undefined ? [] : [`${file}:${index + 1}: '${word}' is not used, say ${better}`]
    }),
  )
}

/** The words of names and sentences alike, in lower case: `oldSeatCount` is three. */
function wordsOf(line: string): string[] {
  return line.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g)?.map((word) => word.toLowerCase()) ?? []
}

function singular(word: string): string {
  if (word === 'neighbor' || word === 'neighbors') return 'neighbour'
  if (word === 'strategies') return 'strategy'
  return word.endsWith('s') && word !== 'utils' ? word.slice(0, -1) : word
}

function vagueSubjects(file: string, texts: readonly { line: number; text: string }[]): string[] {
  return texts.flatMap(({ line, text }) => {
    const sentences = text
      .replaceAll(/`[^`]*`/g, 'code')
      .replaceAll(/\s+/g, ' ')
      .trim()
    return [...sentences.matchAll(VAGUE_SUBJECT)].map(({ 0: clause, index }) => {
      const place = sentences.slice(Math.max(0, index - 20), index + 50)
      return `${file}:${line}: '${clause.match(/\w+$/)?.[0]}' is no subject: …${place}…`
    })
  })
}

const MARKS = /\*\*|(?<!\w)_|_(?!\w)/g
const ITEM = /^\s*(?:#+|[-*]|\d+\.)\s+/

/** The paragraphs, list items, headings and table cells of a page, without code. */
function pageTexts(page: string): { line: number; text: string }[] {
  const texts: { line: number; text: string }[] = []
  let isCode = false
  let paragraph: { line: number; text: string } | undefined
  for (const [index, line] of page.replaceAll(MARKS, '').split('\n').entries()) {
    const here = (text: string) => ({ line: index + 1, text })
    const isFence = /^\s*```/.test(line)
    if (isFence) isCode = !isCode
    if (isFence || isCode || line.trim() === '' || line.startsWith('|')) {
      paragraph = undefined
      if (!isCode && line.startsWith('|')) texts.push(...line.split('|').map(here))
    } else if (paragraph === undefined || ITEM.test(line)) {
      paragraph = here(line.replace(ITEM, ''))
      texts.push(paragraph)
    } else paragraph.text += `\n${line}`
  }
  return texts
}
