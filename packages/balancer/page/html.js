// Templates without a build step: preact's elements, written by htm.

import htm from './vendor/htm.js'
import { h } from './vendor/preact.js'

export const html = htm.bind(h)
