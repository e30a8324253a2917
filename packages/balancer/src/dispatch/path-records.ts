// What is recorded and counted along the path of connections: moves, choices of workers, and heads that could not be read.

import { KeyHasher } from '@switchyard/routing'
import { CutConnections } from '../attackers/cut-connections.ts'
import { BadHeads } from '../decisions/bad-heads.ts'
import { ChoiceCounts } from '../decisions/choice-counts.ts'
import { DecisionLog } from '../decisions/decision-log.ts'
import type { Settings } from '../settings.ts'
import { DecisionRecorder } from './decision-recorder.ts'
import { MoveCounts } from './move-counts.ts'

export class PathRecords {
  readonly moves = new MoveCounts()
  readonly choices = new ChoiceCounts()
  readonly badHeads = new BadHeads()
  readonly cutConnections = new CutConnections()
  /** Hashes keys for people. */
  readonly hasher: KeyHasher
  readonly decisions: DecisionLog
  readonly recorder: DecisionRecorder

  constructor({ decisions: isAlwaysOn, ticketKeys }: Pick<Settings, 'decisions' | 'ticketKeys'>) {
    this.hasher = new KeyHasher(KeyHasher.secretOf(ticketKeys[0]?.secret ?? ''))
    this.decisions = new DecisionLog({ isAlwaysOn, hasher: this.hasher })
    this.recorder = new DecisionRecorder(this.decisions)
  }
}
