/// The distribution of a parameter's initial values.
public enum Initializer: Sendable, Equatable {
  case constant(Float)
  /// N(0, deviation²); the first `zeroRows` rows are zero.
  case normal(deviation: Float, zeroRows: Int = 0)
  /// Uniform in [−bound, bound).
  case uniform(bound: Float)
}

/// A named array that training changes.
public final class Parameter {
  /// The reference's name, as in checkpoints.
  public let name: String
  /// The shape as in checkpoints, such as `[1, 1, 5]` for a convolution.
  public let shape: [Int]
  /// The distribution that the initial values are drawn from.
  public let initializer: Initializer
  /// The number of updates so far; nil until a gradient first reaches the parameter, and until then
  /// optimizers skip it.
  public internal(set) var updates: Int?
  /// Whether the parameter has a gradient in this step.
  public var hasGradient: Bool { gradientRows != nil }
  /// The rows of this step's gradient that may be nonzero; nil without a gradient.
  var gradientRows: GradientRows?
  let offset: Int
  /// The store whose arenas hold the values and gradients.
  public unowned let store: ParameterStore

  init(name: String, shape: [Int], initializer: Initializer, offset: Int, store: ParameterStore) {
    self.name = name
    self.shape = shape
    self.initializer = initializer
    self.offset = offset
    self.store = store
  }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }
  /// The range of the elements in the store's arenas.
  public var range: Range<Int> { offset..<offset + count }

  /// The values as a matrix: the first dimension by the product of the others; a vector is one row.
  ///
  /// Each call makes a new one: a stored one and the parameter would keep each other and the arena.
  public var tensor: Tensor { store.stack([self]) }

  /// The gradient of this step; nil without one.
  public var gradient: Tensor? {
    hasGradient ? store.gradients(range, rows: tensor.rows, columns: tensor.columns) : nil
  }
}

/// The rows of a gradient that may be nonzero.
enum GradientRows {
  case all
  /// The rows that indices named, one list for each use.
  case named([[Int32]])
}

/// All parameters of a model, end to end in one arena, and their gradients.
///
/// The optimizer and the gradient norm each make one pass; an all-reduce makes one for each bucket.
public final class ParameterStore {
  /// The device whose memory holds the arenas.
  public let backend: any Backend
  /// The parameters in the order of declaration, which is that of the arenas.
  public private(set) var parameters: [Parameter] = []
  private var byName: [String: Parameter] = [:]
  private var size = 0
  /// The ranges of elements that belong to no parameter.
  private var gaps: [Range<Int>] = []
  /// The offsets of parameters that form one matrix with the parameter before.
  private var joints: Set<Int> = []
  private var isSealed = false

  /// Makes a store without parameters; ``add(_:_:_:)`` declares them.
  public init(backend: any Backend) { self.backend = backend }

  /// Declares a parameter.
  ///
  /// Weights that are multiplied together (query, key, value) are declared one after another and
  /// joined.
  public func add(_ name: String, _ shape: [Int], _ initializer: Initializer) -> Parameter {
    precondition(byName[name] == nil, "parameter \(name) was declared twice")
    precondition(!isSealed, "parameter \(name) was declared after the values were made")
    let count = shape.reduce(1, *)
    // After a bias of one element, a parameter must still begin where vectors and tensor cores can
    // read it. A parameter of another size follows without a gap, as the parts of a stack must.
    if count % Self.alignment == 0, size % Self.alignment != 0 {
      let start = (size / Self.alignment + 1) * Self.alignment
      gaps.append(size..<start)
      size = start
    }
    let parameter = Parameter(name: name, shape: shape, initializer: initializer, offset: size, store: self)
    parameters.append(parameter)
    byName[name] = parameter
    size += count
    return parameter
  }

  /// Joins parameters that were declared one after another, so that `stack` can return them.
  public func join(_ group: [Parameter]) {
    precondition(!isSealed, "\(group[0].name) was joined after the values were made")
    joints.formUnion(group.dropFirst().map(\.offset))
  }

  /// The parameter of this name, or nil.
  public subscript(name: String) -> Parameter? { byName[name] }

  /// The number of elements of an arena: of all parameters, and of the gaps before some.
  public var count: Int { size }

  /// The alignment in elements, 32 bytes of bfloat16, of parameters whose size is a multiple of it.
  private static let alignment = 16

  /// All values in the order of declaration; the first use allocates them and ends the
  /// declarations.
  public private(set) lazy var values: Tensor = {
    isSealed = true
    let values = Tensor(rows: 1, columns: size, storage: backend.makeWeights(count: size))
    for gap in gaps { backend.run(Fill(values.slice(gap, rows: 1, columns: gap.count), with: 0)) }
    return values
  }()

  /// All gradients in the same order; a parameter's are valid where it `hasGradient`.
  private lazy var gradientBlocks = GradientBlocks(
    parameters, joints: joints, size: backend.gradientBlock, backend: backend)

  /// Returns the gradients of a range of elements that lies in one block.
  func gradients(_ range: Range<Int>, rows: Int, columns: Int) -> Tensor {
    gradientBlocks.slice(range, rows: rows, columns: columns)
  }

  /// Returns whether the gradients of two parameters lie in one block.
  func share(_ left: Parameter, _ right: Parameter) -> Bool {
    gradientBlocks.number(of: left.offset) == gradientBlocks.number(of: right.offset)
  }

  /// Returns several joined parameters as one matrix, with their rows one below the other.
  public func stack(_ group: [Parameter]) -> Tensor {
    let columns = group[0].shape.count == 1 ? group[0].count : group[0].shape.dropFirst().reduce(1, *)
    for (left, right) in zip(group, group.dropFirst()) {
      precondition(
        left.range.upperBound == right.offset && joints.contains(right.offset),
        "\(right.name) is not joined with \(left.name)")
    }
    let count = group.reduce(0) { $0 + $1.count }
    let isVector = group[0].shape.count == 1
    return Tensor(
      rows: isVector ? 1 : count / columns, columns: isVector ? count : columns, storage: values.storage,
      offset: group[0].offset, needsGradient: true, parameters: group)
  }

  /// Draws every parameter from its initializer, each from a random stream named by its place.
  public func initialize(seed: UInt64) {
    for (number, parameter) in parameters.enumerated() {
      initialize(parameter, seed: seed, stream: UInt32(number))
    }
  }

  private func initialize(_ parameter: Parameter, seed: UInt64, stream: UInt32) {
    switch parameter.initializer {
    case .constant(let value):
      backend.run(Fill(parameter.tensor, with: value))
    case .normal(let deviation, let zeroRows):
      var random = RandomStream(seed: seed, stream: stream)
      var values: [Float] = []
      values.reserveCapacity(parameter.count + 1)
      while values.count < parameter.count {
        let (a, b) = random.normalPair()
        values.append(a * deviation)
        values.append(b * deviation)
      }
      let zeros = zeroRows * parameter.tensor.columns
      for element in 0..<zeros { values[element] = 0 }
      set(parameter, to: Array(values.prefix(parameter.count)))
    case .uniform(let bound):
      var random = RandomStream(seed: seed, stream: stream)
      set(parameter, to: (0..<parameter.count).map { _ in (2 * random.uniform() - 1) * bound })
    }
  }

  /// Sets a parameter to these values, row by row.
  public func set(_ parameter: Parameter, to values: [Float]) {
    precondition(values.count == parameter.count)
    values.withUnsafeBufferPointer { backend.upload($0, to: parameter.tensor) }
  }

  /// Returns a parameter's values, row by row.
  public func values(of parameter: Parameter) -> [Float] { backend.values(of: parameter.tensor) }

  /// Forgets the gradients of the last step without writing; the first gradient to arrive
  /// overwrites.
  public func clearGradients() {
    for parameter in parameters { parameter.gradientRows = nil }
    gradientBlocks.clear()
  }

  /// Gives a parameter a gradient of zeros if it has none in this step.
  func completeGradient(of parameter: Parameter) {
    guard !parameter.hasGradient else { return }
    backend.run(Fill(gradients(parameter.range, rows: 1, columns: parameter.count), with: 0))
    parameter.gradientRows = .named([])
  }

  /// The ranges of elements that have gradients, as few as possible.
  public var gradientRanges: [Range<Int>] {
    var ranges: [Range<Int>] = []
    for parameter in parameters where parameter.hasGradient && parameter.count > 0 {
      if let last = ranges.last, last.upperBound == parameter.offset {
        ranges[ranges.count - 1] = last.lowerBound..<parameter.range.upperBound
      } else {
        ranges.append(parameter.range)
      }
    }
    return ranges
  }

  /// Adds the sum of all squared gradients to one float64 of `sums`.
  public func addGradientSquares(to sums: Tensor, at place: Int) {
    for range in gradientRanges {
      backend.run(AddSumOfSquares(x: gradientBlocks.pieces(of: range), sums: sums, place: place))
    }
  }

  /// Returns the place for the gradient of these adjoining parameters.
  /// - Parameter indices: the only rows of a sole parameter that may be nonzero in it; nil for all.
  func target(
    for group: [Parameter], rows: Int, columns: Int, at indices: Indices? = nil
  ) -> GradientTarget {
    let fresh = group.filter { !$0.hasGradient }
    let accumulate = fresh.count < group.count
    for parameter in fresh {
      if accumulate {
        backend.run(Fill(gradients(parameter.range, rows: 1, columns: parameter.count), with: 0))
      }
      parameter.gradientRows = .named([])
    }
    for parameter in group {
      if case .named(let lists) = parameter.gradientRows, group.count == 1, let own = indices?.given {
        parameter.gradientRows = .named(lists + [own])
      } else {
        parameter.gradientRows = .all
      }
    }
    let range = group[0].offset..<group[0].offset + rows * columns
    return GradientTarget(
      tensor: gradients(range, rows: rows, columns: columns), accumulate: accumulate)
  }
}

extension Tensor {
  /// Returns a range of this tensor's elements in another shape.
  func slice(_ range: Range<Int>, rows: Int, columns: Int) -> Tensor {
    precondition(range.count == rows * columns && range.upperBound <= count)
    return Tensor(rows: rows, columns: columns, storage: storage, offset: offset + range.lowerBound)
  }
}
