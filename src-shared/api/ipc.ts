/** The two channels between Electron's main process and the bridge in a window. */
export const requestChannel = 'selkie:request'
export const eventChannel = 'selkie:event'
