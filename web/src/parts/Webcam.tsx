import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'

interface Props {
  readonly onPicture: (file: File) => void
  readonly onClose: () => void
}

/** Pictures of the camera: a click takes one. The stream ends with the view. */
export function Webcam({ onPicture, onClose }: Props) {
  const video = useRef<HTMLVideoElement>(null)
  const fault = useSignal('')
  const taken = useSignal(0)
  useEffect(() => {
    let stream: MediaStream | undefined
    let over = false
    open().then(
      (opened) => {
        if (over) return stopAll(opened)
        stream = opened
        if (video.current) video.current.srcObject = opened
      },
      (error: unknown) => {
        fault.value = whyNoCamera(error)
      },
    )
    return () => {
      over = true
      if (stream) stopAll(stream)
    }
  }, [fault])

  async function take() {
    const { current } = video
    if (!current || current.videoWidth === 0) return
    const side = Math.min(current.videoWidth, current.videoHeight)
    const canvas = new OffscreenCanvas(side, side)
    canvas.getContext('2d')?.drawImage(current, (side - current.videoWidth) / 2, (side - current.videoHeight) / 2)
    const blob = await canvas.convertToBlob({ type: 'image/png' })
    taken.value += 1
    onPicture(new File([blob], `camera-${Date.now()}.png`, { type: 'image/png' }))
  }

  return (
    <div class="webcam">
      {fault.value ? (
        <p class="fault" role="alert">
          {fault.value}
        </p>
      ) : (
        <video ref={video} autoplay muted playsinline aria-label="What the camera sees" />
      )}
      <div class="row">
        {!fault.value && (
          <button type="button" class="plain" onClick={() => void take()}>
            Take a picture
          </button>
        )}
        <button type="button" class="quiet" onClick={onClose}>
          {taken.value > 0 ? `Done, ${taken.value} taken` : 'Close'}
        </button>
      </div>
    </div>
  )
}

async function open(): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new Error('no camera')
  return navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } })
}

function stopAll(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}

function whyNoCamera(error: unknown): string {
  if (error instanceof DOMException && error.name === 'NotAllowedError')
    return 'The camera is not allowed for this page: allow it in the browser’s settings.'
  if (!window.isSecureContext) return 'A browser gives the camera only to https pages and to localhost.'
  return 'No camera was found.'
}
