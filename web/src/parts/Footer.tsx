import { MAY_REACH_HUB } from '../hub.ts'
import { offline } from '../offline.ts'

export function Footer() {
  return (
    <footer>
      <p>
        <strong>Nothing leaves this machine.</strong> Pictures, classes and what is learned stay in this browser.{' '}
        {MAY_REACH_HUB ? (
          <>
            This page may fetch models from the Hugging Face hub, and connect to nothing else: its content security
            policy says so. <a href="./">The page without the hub</a> may not even do that.
          </>
        ) : (
          'The page may connect to nothing but the server it came from: its content security policy says so, and your browser sees to it.'
        )}{' '}
        <span aria-live="polite">{offline.value ? 'It now also works without a network.' : ''}</span>
      </p>
      <p>
        The method is CoOp: Zhou, Yang, Loy and Liu, “Learning to Prompt for Vision-Language Models”, IJCV 2022. CLIP
        stays frozen; only the vectors around the class names move. Sample pictures: Fluent Emoji, © Microsoft, MIT.
        Licences: <a href="./licences/packages.txt">packages</a>,{' '}
        <a href="./licences/onnxruntime-web.txt">ONNX Runtime</a>, fonts{' '}
        <a href="./licences/bricolage-grotesque.txt">Bricolage Grotesque</a> and{' '}
        <a href="./licences/spline-sans-mono.txt">Spline Sans Mono</a>.
      </p>
    </footer>
  )
}
