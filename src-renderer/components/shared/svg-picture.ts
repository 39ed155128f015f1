/** A drawing of rectangles, paths and texts as a picture to take away, in the colours that the page shows it in. */

const resolution = 2 // pixels per unit

/** At its natural size, whatever the zoom. Throws where the browser gives no canvas. */
export function drawSvg(svg: SVGSVGElement, background: string): HTMLCanvasElement {
  const { width, height } = svg.viewBox.baseVal
  const canvas = document.createElement('canvas')
  canvas.width = resolution * width
  canvas.height = resolution * height
  const pen = canvas.getContext('2d')
  if (!pen) throw new Error('The browser gives no canvas to draw the picture on.')
  pen.scale(resolution, resolution)
  pen.fillStyle = background
  pen.fillRect(0, 0, width, height)
  for (const element of svg.querySelectorAll('rect, path, text')) draw(pen, element)
  return canvas
}

function draw(pen: CanvasRenderingContext2D, element: Element): void {
  const style = getComputedStyle(element)
  const number = (name: string): number => Number(element.getAttribute(name) ?? 0)
  pen.globalAlpha = Number(style.opacity)
  pen.fillStyle = style.fill
  pen.strokeStyle = style.stroke
  pen.lineWidth = parseFloat(style.strokeWidth)
  if (element.localName === 'text') {
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`
    pen.textBaseline = style.dominantBaseline === 'auto' ? 'alphabetic' : 'middle'
    pen.textAlign = style.textAnchor === 'end' ? 'end' : style.textAnchor === 'middle' ? 'center' : 'start'
    pen.fillText(element.textContent, number('x'), number('y'))
    return
  }
  const shape = new Path2D(element.getAttribute('d') ?? undefined)
  if (element.localName === 'rect')
    shape.roundRect(number('x'), number('y'), number('width'), number('height'), number('rx'))
  if (style.fill !== 'none') pen.fill(shape)
  if (style.stroke !== 'none') pen.stroke(shape)
}
