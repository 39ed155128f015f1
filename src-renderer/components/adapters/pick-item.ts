/** What a SearchPicker offers. */
export type PickItem = { readonly id: string; readonly label: string; readonly note: string }
