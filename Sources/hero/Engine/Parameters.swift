/// How a parameter starts.
public enum Initializer: Sendable, Equatable {
  case constant(Float)
  /// N(0, deviation²); the first `zeroRows` rows are zero.
  case normal(deviation: Float, zeroRows: Int = 0)
  /// Uniform in [−bound, bound).
  case uniform(bound: Float)
}

/// One named array that training changes.
public final class Parameter {
  /// The reference's name, as it stands in checkpoints.
  public let name: String
  /// As in checkpoints, e.g. `[1, 1, 5]` for a convolution.
  public let shape: [Int]
  /// What the values are drawn from before training.
  public let initializer: Initializer
  /// Updates so far. Nil until a gradient first reaches the parameter: optimizers leave it alone
  /// till then.
  public internal(set) var updates: Int?
  /// Whether there is a gradient in this step.
  public var hasGradient: Bool { gradientRows != nil }
  /// Which rows of this step's gradient may be other than zero; nil without one.
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

  /// Elements.
  public var count: Int { shape.reduce(1, *) }
  /// Where the elements lie in the store's arenas.
  public var range: Range<Int> { offset..<offset + count }

  /// The values as a matrix: the first dimension by the product of the others; a vector is one row.
  ///
  /// Made anew each time: kept, it and the parameter would keep each other and the arena.
  public var tensor: Tensor { store.stack([self]) }

  /// This step's gradient.
  public var gradient: Tensor? {
    hasGradient ? store.gradients(range, rows: tensor.rows, columns: tensor.columns) : nil
  }
}

/// Rows of a gradient that may be other than zero.
enum GradientRows {
  case all
  /// Those that indices named, one list for each use.
  case named([[Int32]])
}

/// All parameters of a model, end to end in one arena, and their gradients: the optimizer and the
/// gradient norm each make one pass, an all-reduce one for each of some blocks.
public final class ParameterStore {
  /// The device whose memory holds the arenas.
  public let backend: any Backend
  /// In the order of declaration, which is that of the arenas.
  public private(set) var parameters: [Parameter] = []
  private var byName: [String: Parameter] = [:]
  private var size = 0
  /// Elements that belong to no parameter.
  private var gaps: [Range<Int>] = []
  /// Where parameters meet that are multiplied with as one matrix.
  private var joints: Set<Int> = []
  private var isSealed = false

  /// A store without parameters; ``add(_:_:_:)`` declares them.
  public init(backend: any Backend) { self.backend = backend }

  /// Declares a parameter. Weights that are multiplied together (query, key, value) are declared
  /// one after the other, and joined.
  public func add(_ name: String, _ shape: [Int], _ initializer: Initializer) -> Parameter {
    precondition(byName[name] == nil, "parameter \(name) was declared twice")
    precondition(!isSealed, "parameter \(name) was declared after the values were made")
    let count = shape.reduce(1, *)
    // A bias of one element must not leave all that comes after it where vectors and tensor cores
    // cannot read. What has another size follows without a gap, as the parts of a stack must.
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

  /// Says of parameters that were declared one after the other that `stack` will be asked for them.
  public func join(_ group: [Parameter]) {
    precondition(!isSealed, "\(group[0].name) was joined after the values were made")
    joints.formUnion(group.dropFirst().map(\.offset))
  }

  /// The parameter of this name, or nil.
  public subscript(name: String) -> Parameter? { byName[name] }

  /// Elements of an arena: of all parameters together, and of the gaps before some.
  public var count: Int { size }

  /// Elements on a multiple of which a parameter begins that has a multiple of them: 32 bytes of
  /// bfloat16.
  private static let alignment = 16

  /// Every value, in the order of declaration. Made at the first use, after which nothing can be
  /// declared.
  public private(set) lazy var values: Tensor = {
    isSealed = true
    let values = Tensor(rows: 1, columns: size, storage: backend.makeWeights(count: size))
    for gap in gaps { backend.run(Fill(values.slice(gap, rows: 1, columns: gap.count), with: 0)) }
    return values
  }()

  /// Every gradient, in the same order; holds this step's where `hasGradient`.
  private lazy var gradientBlocks = GradientBlocks(
    parameters, joints: joints, size: backend.gradientBlock, backend: backend)

  /// The gradients of a range of elements that lies in one block.
  func gradients(_ range: Range<Int>, rows: Int, columns: Int) -> Tensor {
    gradientBlocks.slice(range, rows: rows, columns: columns)
  }

  /// Whether the gradients of two parameters lie in one block.
  func share(_ left: Parameter, _ right: Parameter) -> Bool {
    gradientBlocks.number(of: left.offset) == gradientBlocks.number(of: right.offset)
  }

  /// Several joined parameters as one matrix, with their rows one below the other.
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

  /// Draws every parameter from its initializer; each has a random stream of its own, named by its
  /// place.
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

  /// Overwrites a parameter with as many values, row by row.
  public func set(_ parameter: Parameter, to values: [Float]) {
    precondition(values.count == parameter.count)
    values.withUnsafeBufferPointer { backend.upload($0, to: parameter.tensor) }
  }

  /// A parameter's values, row by row.
  public func values(of parameter: Parameter) -> [Float] { backend.values(of: parameter.tensor) }

  /// Forgets the gradients of the last step. Nothing is written: the first gradient to arrive
  /// overwrites.
  public func clearGradients() {
    for parameter in parameters { parameter.gradientRows = nil }
    gradientBlocks.clear()
  }

  /// Gives a parameter that has no gradient in this step one of zeros.
  func completeGradient(of parameter: Parameter) {
    guard !parameter.hasGradient else { return }
    backend.run(Fill(gradients(parameter.range, rows: 1, columns: parameter.count), with: 0))
    parameter.gradientRows = .named([])
  }

  /// The runs of elements that have gradients, as few as possible.
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

  /// Adds the sum of the squares of all gradients to a float64.
  public func addGradientSquares(to sums: Tensor, at place: Int) {
    for range in gradientRanges {
      backend.run(AddSumOfSquares(x: gradientBlocks.pieces(of: range), sums: sums, place: place))
    }
  }

  /// Where the gradient of these adjoining parameters goes.
  /// - Parameter indices: the only rows of a sole parameter that it is other than zero in; nil for
  ///   any.
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
  /// A stretch of this tensor's elements in another shape.
  func slice(_ range: Range<Int>, rows: Int, columns: Int) -> Tensor {
    precondition(range.count == rows * columns && range.upperBound <= count)
    return Tensor(rows: rows, columns: columns, storage: storage, offset: offset + range.lowerBound)
  }
}
