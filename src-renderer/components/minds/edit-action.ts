/** What a person may do with one edit of the stack. */
export type EditAction =
  | { readonly type: 'enable' | 'disable' }
  | { readonly type: 'again' | 'revert' }
  | { readonly type: 'scale'; readonly scale: number }
  | { readonly type: 'move'; readonly position: number } // among the others
