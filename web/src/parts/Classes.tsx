import { useSignal } from '@preact/signals'
import { chosenFolder, takeFound } from '../dropped.ts'
import { countOf } from '../format.ts'
import { fetching, pictureUrl, type Sample, samples, takeSample } from '../samples.ts'
import {
  addClass,
  addPictures,
  type ClassCard,
  classes,
  clearClasses,
  lack,
  type Picture,
  removeClass,
  removePicture,
} from '../state/classes.ts'
import { waiting } from '../state/model.ts'
import { task } from '../state/task.ts'
import { shown } from '../state/trying.ts'
import { useDrop } from './drop.ts'
import { arrowKeys } from './keys.ts'
import { Webcam } from './Webcam.tsx'

export function Classes() {
  const { over, handlers } = useDrop(takeFound)
  const some = classes.value.length > 0
  return (
    <section
      id="classes"
      class={`step ${over.value ? 'over' : ''}`}
      aria-labelledby="classes-title"
      tabIndex={-1}
      {...handlers}
    >
      <h2 id="classes-title">
        <span class="number">1</span> Classes
      </h2>
      <SampleChoice small={some} />
      {some ? (
        <>
          <ul class="cards">
            {classes.value.map((card) => (
              <Card key={card.id} card={card} />
            ))}
          </ul>
          <p class="lack" aria-live="polite">
            {waiting.value > 0
              ? `Looking at ${countOf(waiting.value, 'picture')} …`
              : lack.value || 'To learn from + held out: those in a frame are only tested on.'}
          </p>
        </>
      ) : (
        <p class="or">
          <span>or your own pictures</span>
        </p>
      )}
      <div class="row">
        <button type="button" data-testid="add-class" class={some ? 'quiet' : 'plain'} onClick={() => addClass()}>
          + Add a class
        </button>
        <label class={some ? 'quiet button' : 'plain button'}>
          Choose a folder
          <input
            type="file"
            multiple
            ref={(input) => input?.setAttribute('webkitdirectory', '')}
            onChange={({ currentTarget }) => {
              takeFound(chosenFolder(currentTarget.files))
              currentTarget.value = ''
            }}
          />
        </label>
        {some && (
          <button type="button" class="quiet" onClick={clearClasses}>
            Clear
          </button>
        )}
      </div>
      {!some && (
        <p class="hint">Drop folders anywhere here: each folder of pictures becomes a class, called like the folder.</p>
      )}
    </section>
  )
}

function SampleChoice({ small }: { readonly small: boolean }) {
  const { value } = samples
  if (value.state === 'failed') return <p class="hint">The sample tasks are not on this server.</p>
  if (value.state === 'loading') return <p class="hint">Looking for sample tasks …</p>
  return (
    <ul class={`samples ${small ? 'small' : ''}`} aria-label="Sample tasks">
      {value.samples.map((sample) => (
        <li key={sample.name}>
          <SampleButton sample={sample} small={small} />
        </li>
      ))}
    </ul>
  )
}

function SampleButton({ sample, small }: { readonly sample: Sample; readonly small: boolean }) {
  const { name, title, classes } = sample
  const pictures = classes.reduce((sum, { train, test }) => sum + train.length + test.length, 0)
  return (
    <button
      type="button"
      data-testid="sample-task"
      class="sample"
      aria-busy={fetching.value === name}
      onClick={() => void takeSample(sample)}
    >
      {!small && (
        <span class="strip">
          {classes.slice(0, 5).map((c) => (
            <img
              key={c.name}
              src={pictureUrl(sample, 'test', c.name, c.test[0] ?? '')}
              alt=""
              width="36"
              height="36"
              loading="lazy"
            />
          ))}
        </span>
      )}
      <strong>{title}</strong>
      {!small && (
        <small>
          {countOf(classes.length, 'class', 'classes')}, {countOf(pictures, 'picture')}
        </small>
      )}
    </button>
  )
}

const THUMBNAILS = 12

function Card({ card }: { readonly card: ClassCard }) {
  const { name, pictures } = card
  const { over, handlers } = useDrop((found) => takeFound(found, card))
  const all = useSignal(false)
  const filming = useSignal(false)
  const heldOut = new Set(task.value.test.map(({ picture }) => picture))
  const held = pictures.value.filter((picture) => heldOut.has(picture)).length
  const faulty = pictures.value.filter((picture) => picture.look.value instanceof Error)
  const called = name.value.trim() || 'this class'
  const visible = all.value ? pictures.value : pictures.value.slice(0, THUMBNAILS)
  const more = pictures.value.length - visible.length
  return (
    <li class={`card ${over.value ? 'over' : ''}`} {...handlers}>
      <div class="card-head">
        <input
          data-testid="class-name"
          class="class-name"
          value={name.value}
          placeholder="Name, such as “red panda”"
          aria-label="Name of the class"
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => (name.value = currentTarget.value)}
        />
        <span class="counts">
          {pictures.value.length > 0 && `${pictures.value.length - held - faulty.length} + ${held}`}
          <span class="hidden"> pictures to learn from and held out</span>
        </span>
        <button
          type="button"
          class="icon"
          aria-label={`Remove ${called}`}
          title="Remove the class"
          onClick={() => removeClass(card)}
        >
          ×
        </button>
      </div>
      <ul class="thumbs" aria-label={`Pictures of ${called}`} onKeyDown={arrowKeys}>
        {visible.map((picture, i) => (
          <Thumb key={picture.id} card={card} picture={picture} heldOut={heldOut.has(picture)} isFirst={i === 0} />
        ))}
        {more > 0 && (
          <li>
            <button
              type="button"
              class="more"
              onClick={() => (all.value = true)}
              aria-label={`Show ${more} more pictures of ${called}`}
            >
              +{more}
            </button>
          </li>
        )}
        <li>
          <label class="add button" title="Add pictures">
            <span aria-hidden="true">+</span>
            <span class="hidden">Add pictures of {called}</span>
            <input
              data-testid="class-files"
              type="file"
              accept="image/*"
              multiple
              onChange={({ currentTarget }) => {
                takeFound(
                  Array.from(currentTarget.files ?? [], (file) => ({ folder: '', file })),
                  card,
                )
                currentTarget.value = ''
              }}
            />
          </label>
        </li>
        <li>
          <button
            type="button"
            class="add"
            title="Take pictures with the camera"
            aria-label={`Take pictures of ${called} with the camera`}
            onClick={() => (filming.value = !filming.value)}
          >
            <svg viewBox="0 0 20 20" aria-hidden="true">
              <path d="M3 6h3l1.5-2h5L14 6h3v10H3z" fill="none" stroke="currentColor" stroke-width="1.4" />
              <circle cx="10" cy="10.8" r="2.8" fill="none" stroke="currentColor" stroke-width="1.4" />
            </svg>
          </button>
        </li>
      </ul>
      {filming.value && (
        <Webcam onPicture={(file) => addPictures(card, [file])} onClose={() => (filming.value = false)} />
      )}
      {faulty.map((picture) => (
        <p key={picture.id} class="fault" role="alert">
          {picture.look.value instanceof Error && picture.look.value.message}{' '}
          <button type="button" class="link" onClick={() => removePicture(card, picture)}>
            Leave it out
          </button>
        </p>
      ))}
    </li>
  )
}

interface ThumbProps {
  readonly card: ClassCard
  readonly picture: Picture
  readonly heldOut: boolean
  readonly isFirst: boolean
}

function Thumb({ card, picture, heldOut, isFirst }: ThumbProps) {
  const { look, url, file } = picture
  if (look.value instanceof Error) return null
  const what = `${file.name}${heldOut ? ', held out' : ''}`
  const remove = () => removePicture(card, picture)
  return (
    <li class={`thumb ${heldOut ? 'held' : ''} ${look.value}`}>
      <button
        type="button"
        data-pick
        tabIndex={isFirst ? 0 : -1}
        title={what}
        aria-label={`Try ${what}; the delete key removes it`}
        onClick={() => (shown.value = picture)}
        onKeyDown={({ key }) => {
          if (key === 'Delete' || key === 'Backspace') remove()
        }}
      >
        <img src={url} alt="" loading="lazy" />
      </button>
      <button type="button" class="drop" tabIndex={-1} aria-label={`Remove ${file.name}`} onClick={remove}>
        ×
      </button>
    </li>
  )
}
