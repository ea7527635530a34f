/** Whether what stands for a pipeline is the path of a module rather than a name. */
export const isModulePath = (text: string): boolean => /[\\/]/.test(text) || /\.[cm]?[jt]s$/.test(text)
