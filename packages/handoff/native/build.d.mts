// The types of build.mjs, for packages that compile the native module.

export declare const target: string
export declare function reasonAgainst(compiler?: string): string | undefined
export declare function build(options?: { file?: string; compiler?: string }): string | undefined
