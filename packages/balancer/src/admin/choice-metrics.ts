// Metrics of the primary's choices: how workers were chosen, and what sticky policies could do.

import { counter, type MetricDefinition } from './metric-definition.ts'

export const choiceMetrics: readonly MetricDefinition[] = [
  counter(
    'switchyard_choices_total',
    'Workers that the primary chose for a connection or a forwarded request, by the way of the choice',
    ['route', 'policy', 'by'],
    ({ choices }) => choices.map(({ route, policy, by, count }) => ({ labels: { route, policy, by }, value: count })),
  ),
  counter(
    'switchyard_sticky_choices_total',
    'Choices of sticky policies: kept is the worker of the key; overloaded and gone are broken stickiness',
    ['route', 'outcome'],
    ({ sticky }) => sticky.map(({ route, outcome, count }) => ({ labels: { route, outcome }, value: count })),
  ),
]
