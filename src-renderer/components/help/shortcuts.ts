/** What the keys do, by the place where they do it. */

type Shortcuts = {
  readonly place: string
  readonly keys: readonly { readonly keys: readonly string[]; readonly does: string }[]
}

export const shortcuts: readonly Shortcuts[] = [
  {
    place: 'Tables',
    keys: [
      { keys: ['↑', '↓', 'Page Up', 'Page Down', 'Home', 'End'], does: 'another row' },
      { keys: ['Enter'], does: 'open the row' },
      { keys: ['Space'], does: 'select the row, where rows can be selected' },
    ],
  },
  {
    place: 'Self-edit',
    keys: [
      { keys: ['j', 'k'], does: 'the next candidate, the one before' },
      { keys: ['a', 'r', 'f'], does: 'approve, reject, flag' },
      { keys: ['n'], does: 'write a note' },
      { keys: ['?'], does: 'show the keys' },
    ],
  },
  {
    place: 'Mind',
    keys: [
      { keys: ['Space'], does: 'switch an edit on or off, on its switch' },
      { keys: ['←', '→'], does: 'weaken or strengthen an edit, on its slider' },
      {
        keys: ['Enter'],
        does: 'move an edit, on its arrows; open the answers of a cell, a line of the history',
      },
    ],
  },
  {
    place: 'Everywhere',
    keys: [
      { keys: ['Tab'], does: 'the next control; the first one skips the navigation' },
      { keys: ['←', '→'], does: 'another tab, where there are tabs' },
      { keys: ['Esc'], does: 'close a dialog' },
      { keys: ['Alt+←'], does: 'back (⌘+[ on a Mac)' },
    ],
  },
]
