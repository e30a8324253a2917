// Source maps for the stack traces of the app.

import module from 'node:module'

/** Since Node 22.14; missing in the types of the oldest supported Node. */
type SetSourceMaps = (enabled: boolean, options: { readonly nodeModules: boolean; readonly generatedCode: boolean }) => void

/** Call it before the app is loaded. Maps of packages are left out: they cost memory and time, and their code is not the app's. */
export function enableSourceMaps(): void {
  const { setSourceMapsSupport } = module as unknown as { readonly setSourceMapsSupport?: SetSourceMaps }
  setSourceMapsSupport?.(true, { nodeModules: false, generatedCode: false })
}
