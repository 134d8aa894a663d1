import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { sizeOfModel } from '../engine.ts'
import { megabytes } from '../format.ts'
import { model, openModel } from '../state/model.ts'
import { messageOf } from '../state/notices.ts'

const KNOWN = [
  'openai/clip-vit-base-patch32',
  'openai/clip-vit-base-patch16',
  'laion/CLIP-ViT-B-32-laion2B-s34B-b79K',
  'timm/resnet50_clip.openai',
]

type Found =
  | { readonly id: string; readonly bytes: number; readonly stored: boolean }
  | { readonly error: string }
  | 'looking'
  | undefined

/** Chooses a model of the hub; what it takes is said before anything is fetched. */
export function HubDialog() {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useSignal(KNOWN[0] ?? '')
  const found = useSignal<Found>(undefined)

  async function lookUp() {
    found.value = 'looking'
    try {
      found.value = { id: id.value, ...(await sizeOfModel(id.value)) }
    } catch (error) {
      found.value = { error: messageOf(error) }
    }
  }
  const { value } = found
  return (
    <>
      <button type="button" class="quiet" onClick={() => dialog.current?.showModal()}>
        Another model
      </button>
      <dialog ref={dialog} aria-labelledby="hub-title">
        <form
          onSubmit={(event) => {
            event.preventDefault()
            void lookUp()
          }}
        >
          <h2 id="hub-title">A model of the Hugging Face hub</h2>
          <p class="hint">
            For photographs. The model is fetched once and kept in this browser; your pictures go nowhere.
          </p>
          <label>
            <span>Model</span>
            <input
              list="known-models"
              value={id.value}
              spellcheck={false}
              onInput={({ currentTarget }) => {
                id.value = currentTarget.value.trim()
                found.value = undefined
              }}
            />
          </label>
          <datalist id="known-models">
            {KNOWN.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
          <p aria-live="polite" class="about">
            {value === 'looking' && 'Asking the hub …'}
            {typeof value === 'object' && 'error' in value && value.error}
            {typeof value === 'object' &&
              'bytes' in value &&
              (value.stored
                ? `${megabytes(value.bytes)}, already in this browser.`
                : `${megabytes(value.bytes)} to fetch.`)}
          </p>
          <div class="row">
            {typeof value === 'object' && 'bytes' in value ? (
              <button
                type="button"
                class="plain"
                onClick={() => {
                  model.value = { from: 'hub', id: value.id }
                  dialog.current?.close()
                  void openModel()
                }}
              >
                {value.stored ? 'Open it' : `Fetch ${megabytes(value.bytes)} and open it`}
              </button>
            ) : (
              <button type="submit" class="plain" disabled={id.value === '' || value === 'looking'}>
                How large is it?
              </button>
            )}
            <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
          </div>
        </form>
      </dialog>
    </>
  )
}
