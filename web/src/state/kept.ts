import { batch, signal } from '@preact/signals'
import { forgetStarted, isStarted } from '../engine.ts'
import { addClass, addPictures, clearClasses, type Part } from './classes.ts'
import { tell } from './notices.ts'
import { settings, type Task } from './task.ts'

/** What a training that was cut off learned from: kept when it begins, removed when it ends. */
interface Kept {
  readonly classNames: readonly string[]
  readonly pictures: readonly { readonly file: File; readonly label: number; readonly part: Part }[]
  readonly settings: Readonly<Record<string, unknown>>
}

/** A training that the closing of the tab cut off, which can go on. */
export const cutOff = signal<Kept | undefined>(undefined)

const [DATABASE, TABLE, KEY] = ['coop-ts playground', 'training', 'begun']

async function table<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await new Promise<IDBDatabase>((done, fail) => {
    const request = indexedDB.open(DATABASE, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE)
    request.onsuccess = () => done(request.result)
    request.onerror = () => fail(request.error)
  })
  try {
    return await new Promise<T>((done, fail) => {
      const transaction = database.transaction(TABLE, mode)
      const request = use(transaction.objectStore(TABLE))
      transaction.oncomplete = () => done(request.result)
      transaction.onabort = () => fail(transaction.error ?? request.error)
      transaction.onerror = () => fail(transaction.error ?? request.error)
    })
  } finally {
    database.close()
  }
}

/** Before a training begins. Where the storage is full or closed, it learns all the same. */
export async function keep({ classNames, train, test }: Task): Promise<void> {
  const of = (part: Part, items: Task['train']) => items.map(({ picture: { file }, label }) => ({ file, label, part }))
  const kept: Kept = {
    classNames,
    pictures: [...of('train', train), ...of('test', test)],
    settings: Object.fromEntries(Object.entries(settings).map(([name, { value }]) => [name, value])),
  }
  try {
    await table('readwrite', (store) => store.put(kept, KEY))
  } catch (error) {
    const full = error instanceof DOMException && error.name === 'QuotaExceededError'
    const why = full ? 'The browser’s storage is full' : 'The browser keeps nothing for this page'
    tell(`${why}: this training cannot go on after the tab is closed.`)
  }
}

export async function forgetKept(): Promise<void> {
  cutOff.value = undefined
  await Promise.allSettled([table('readwrite', (store) => store.delete(KEY)), forgetStarted()])
}

/** When the page opens: was a training cut off? */
export async function lookForCutOff(): Promise<void> {
  try {
    if (!(await isStarted())) return
    cutOff.value = await table<Kept | undefined>('readonly', (store) => store.get(KEY))
  } catch {
    // a browser without storage has nothing to go on with
  }
}

/** The classes and settings of the training that was cut off. */
export function restore(kept: Kept): void {
  cutOff.value = undefined
  batch(() => {
    clearClasses()
    for (const [label, name] of kept.classNames.entries()) {
      const card = addClass(name)
      for (const part of ['train', 'test'] as const) {
        const own = kept.pictures.filter((picture) => picture.label === label && picture.part === part)
        addPictures(
          card,
          own.map(({ file }) => file),
          part,
        )
      }
    }
    const { template, recipe, shots, classSpecific, views, seed } = kept.settings
    if (typeof template === 'string') settings.template.value = template
    settings.recipe.value = recipe === 'paper' ? 'paper' : 'fast'
    if (typeof shots === 'number') settings.shots.value = shots
    settings.classSpecific.value = classSpecific === true
    if (typeof views === 'number') settings.views.value = views
    if (typeof seed === 'number') settings.seed.value = seed
  })
}
