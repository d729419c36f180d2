import CDNNL
import Formats

/// A range of a plan's memory, and the steps during which it is in use.
final class Buffer {
  let bytes: Int
  fileprivate(set) var steps: ClosedRange<Int>
  fileprivate var offset = 0

  fileprivate init(bytes: Int, step: Int) {
    self.bytes = bytes
    steps = step...step
  }

  fileprivate func use(at step: Int) {
    steps = min(steps.lowerBound, step)...max(steps.upperBound, step)
  }
}

/// A tensor of a plan: its layout, and its place in memory once the plan is finished.
final class Value {
  let layout: Layout
  let buffer: Buffer
  /// The offset from the buffer's start, in bytes.
  fileprivate let offset: Int

  var shape: [Int] { layout.shape }

  fileprivate init(layout: Layout, buffer: Buffer, offset: Int = 0) {
    self.layout = layout
    self.buffer = buffer
    self.offset = offset
  }

  /// Returns the same memory with other strides; strides and offset count elements.
  ///
  /// The value must be row-major.
  func view(shape: [Int], strides: [Int], offset: Int = 0) throws -> Value {
    let size = layout.precision == .float32 ? 4 : 2
    return Value(
      layout: try Layout(shape: shape, strides: strides, layout.precision), buffer: buffer,
      offset: self.offset + offset * size)
  }
}

/// A network compiled for inputs of one shape: its primitives in order, and their memory.
///
/// Tensors reuse the memory of those that no later step reads.
final class Plan {
  private let steps: [Primitive]
  private let memory: AlignedMemory
  private let scratch: AlignedMemory
  /// The weights that the steps read, kept alive here.
  private let constants: [Weight]

  fileprivate init(steps: [Primitive], memory: AlignedMemory, scratch: AlignedMemory, constants: [Weight]) {
    self.constants = constants
    self.steps = steps
    self.memory = memory
    self.scratch = scratch
  }

  /// Returns the elements of an input or output of the plan: float32, row-major.
  func elements(of value: Value) -> UnsafeMutablePointer<Float> {
    (memory.pointer + value.buffer.offset + value.offset).assumingMemoryBound(to: Float.self)
  }

  func run() throws {
    for step in steps { try step.run() }
  }

  /// The names of oneDNN's implementations, for profiling.
  var implementations: [String] { steps.map(\.implementation) }
}

/// A builder that puts a plan together step by step.
final class PlanBuilder {
  let precision: NetworkPrecision
  private var steps: [Primitive] = []
  private var buffers: [Buffer] = []
  /// The arguments to bind once the offsets of all buffers are known.
  private var pending: [(primitive: Primitive, argument: hero_argument, place: Int, value: Value)] = []
  private var constants: [Weight] = []
  private var scratches: [(primitive: Primitive, layout: Layout)] = []

  init(precision: NetworkPrecision) { self.precision = precision }

  // MARK: Ends

  /// Adds an input, which the caller writes before each run: float32, row-major.
  func input(_ shape: [Int]) throws -> Value { try value(Layout(plain: shape)) }

  /// Adds an output, which the caller reads after each run: float32, row-major.
  func output(_ x: Value) throws -> Value {
    let result = try reorder(x, to: Layout(plain: x.shape))
    result.buffer.use(at: .max)
    return result
  }

  /// Places all buffers in memory, and returns the plan.
  func finish() throws -> Plan {
    let memory = AlignedMemory(bytes: place(buffers))
    let scratch = AlignedMemory(bytes: scratches.lazy.map(\.layout.bytes).max() ?? 0)
    for (primitive, argument, place, value) in pending {
      try primitive.bind(
        argument, place: place, value.layout, memory.pointer + value.buffer.offset + value.offset)
    }
    for (primitive, layout) in scratches { try primitive.bind(HERO_SCRATCH, layout, scratch.pointer) }
    return Plan(steps: steps, memory: memory, scratch: scratch, constants: constants)
  }

  /// Gives each buffer the lowest offset that is free during its steps, and returns the bytes of
  /// all.
  ///
  /// The largest buffer comes first.
  private func place(_ buffers: [Buffer]) -> Int {
    var placed: [Buffer] = []
    var end = 0
    for buffer in buffers.sorted(by: { $0.bytes > $1.bytes }) {
      let neighbours = placed.filter { $0.steps.overlaps(buffer.steps) }.sorted { $0.offset < $1.offset }
      var offset = 0
      for neighbour in neighbours where neighbour.offset < offset + buffer.bytes {
        offset = max(offset, (neighbour.offset + neighbour.bytes + 63) / 64 * 64)
      }
      buffer.offset = offset
      placed.append(buffer)
      end = max(end, offset + buffer.bytes)
    }
    return end
  }

  // MARK: Steps

  func value(_ layout: Layout) throws -> Value {
    let buffer = Buffer(bytes: layout.bytes, step: steps.count)
    buffers.append(buffer)
    return Value(layout: layout, buffer: buffer)
  }

  func value(_ shape: [Int]) throws -> Value { try value(Layout(plain: shape, precision)) }

  /// Returns `x` in another layout, or `x` itself if it has that layout.
  func reorder(_ x: Value, to layout: Layout) throws -> Value {
    if x.layout.equals(layout) { return x }
    let result = try value(layout)
    try add(
      Primitive(hero_reorder(x.layout.handle, layout.handle)),
      [(HERO_SOURCE, 0, x), (HERO_RESULT, 0, result)]
    )
    return result
  }

  /// Copies `x` into `place`, a view of a tensor that is composed of several.
  func copy(_ x: Value, into place: Value) throws {
    try add(
      Primitive(hero_reorder(x.layout.handle, place.layout.handle)),
      [(HERO_SOURCE, 0, x), (HERO_RESULT, 0, place)])
  }

  /// Adds a constant whose tensor each run fills again, so that products may be added to it.
  func constant(_ weight: Weight) throws -> Value {
    let result = try value(weight.shape)
    constants.append(weight)
    let (layout, elements) = weight.plainElements
    let reorder = try Primitive(hero_reorder(layout.handle, result.layout.handle))
    try reorder.bind(HERO_SOURCE, layout, elements)
    try add(reorder, [(HERO_RESULT, 0, result)])
    return result
  }

  /// Returns relu?(convolution + bias [+ residual]).
  ///
  /// The sum overwrites the residual.
  func convolution(
    _ x: Value, _ layer: Convolution, adding residual: Value? = nil, relu: Bool
  ) throws -> Value {
    let source = try Layout(any: x.shape, precision)
    let weights = try Layout(any: layer.weight.shape, precision)
    let result = try Layout(any: layer.resultShape(of: x.shape), precision)
    let (biasLayout, bias) = layer.bias.plainElements
    constants += [layer.weight, layer.bias]
    func make(winograd: Bool) throws -> Primitive {
      try Primitive(
        hero_convolution(
          source.handle, weights.handle, biasLayout.handle, result.handle, layer.strides.map(Int64.init),
          layer.before.map(Int64.init), layer.after.map(Int64.init), residual != nil, relu, winograd))
    }
    let suits = precision == .float32 && layer.suitsWinograd(result: result.shape)
    let primitive = try (suits ? try? make(winograd: true) : nil) ?? make(winograd: false)
    let input = try reorder(x, to: primitive.layout(HERO_SOURCE, like: source))
    let chosen = try primitive.layout(HERO_RESULT, like: result)
    let output: Value
    if let residual {
      let place = try reorder(residual, to: chosen)
      output = Value(layout: chosen, buffer: place.buffer, offset: place.offset)
    } else {
      output = try value(chosen)
    }
    let wanted = try primitive.layout(HERO_WEIGHTS, like: weights)
    try primitive.bind(HERO_WEIGHTS, wanted, layer.weight.elements(in: wanted))
    try primitive.bind(HERO_BIAS, biasLayout, bias)
    try add(primitive, [(HERO_SOURCE, 0, input), (HERO_RESULT, 0, output)])
    return output
  }

  /// Returns after(x·weights + bias [+ residual]); the sum overwrites the residual.
  ///
  /// - Parameter weights: [inputs, outputs]
  func linear(
    _ x: Value, _ weights: Weight, _ bias: Weight?, adding residual: Value? = nil,
    then after: hero_after = HERO_AFTER_NOTHING
  ) throws -> Value {
    let shape = Array(x.shape.dropLast()) + [weights.shape[1]]
    let wanted = try Layout(any: weights.shape, precision)
    let result = try residual ?? value(shape)
    constants += [weights] + (bias.map { [$0] } ?? [])
    let primitive = try Primitive(
      hero_matmul(
        x.layout.handle, wanted.handle, bias?.plainElements.layout.handle, result.layout.handle,
        residual != nil, after))
    let chosen = try primitive.layout(HERO_WEIGHTS, like: wanted)
    try primitive.bind(HERO_WEIGHTS, chosen, weights.elements(in: chosen))
    if let (layout, elements) = bias?.plainElements { try primitive.bind(HERO_BIAS, layout, elements) }
    try add(primitive, [(HERO_SOURCE, 0, x), (HERO_RESULT, 0, result)])
    return result
  }

  /// Computes x·y into `result`, batch by batch.
  func product(_ x: Value, _ y: Value, into result: Value) throws {
    let primitive = try Primitive(
      hero_matmul(x.layout.handle, y.layout.handle, nil, result.layout.handle, false, HERO_AFTER_NOTHING))
    try add(primitive, [(HERO_SOURCE, 0, x), (HERO_WEIGHTS, 0, y), (HERO_RESULT, 0, result)])
  }

  /// Returns (x − mean)/√(variance + ε)·scale + shift for each row.
  func layerNorm(_ x: Value, scale: Weight, shift: Weight, epsilon: Float) throws -> Value {
    let primitive = try Primitive(hero_layer_norm(x.layout.handle, epsilon))
    let result = try value(x.layout)
    constants += [scale, shift]
    for (argument, weight) in [(HERO_SCALE, scale), (HERO_SHIFT, shift)] {
      let (layout, elements) = weight.plainElements
      try primitive.bind(argument, layout, elements)
    }
    try add(primitive, [(HERO_SOURCE, 0, x), (HERO_RESULT, 0, result)])
    return result
  }

  /// Replaces each row by its softmax.
  func softmax(_ x: Value) throws {
    let primitive = try Primitive(hero_softmax(x.layout.handle, Int32(x.shape.count - 1)))
    try add(primitive, [(HERO_SOURCE, 0, x), (HERO_RESULT, 0, x)])
  }

  func add(
    _ primitive: Primitive, _ arguments: [(argument: hero_argument, place: Int, value: Value)]
  ) throws {
    for (argument, place, value) in arguments {
      value.buffer.use(at: steps.count)
      pending.append((primitive, argument, place, value))
    }
    if let scratch = primitive.scratch() { scratches.append((primitive, scratch)) }
    steps.append(primitive)
  }
}
