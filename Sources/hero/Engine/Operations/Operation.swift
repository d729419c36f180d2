/// A piece of a device's work, as a value.
///
/// One file holds an operation's fields, the shapes that it takes, the memory that it reads and
/// writes, and how each device does it. A device's `run(_:)` checks an operation, then calls its
/// own `run(on:)`. A new device is a line here and an extension of every operation.
///
/// Shapes are preconditions: a mismatch is a programming error, since input from files is checked
/// before. Outputs are written whole unless a `GradientTarget` says to accumulate. No operation
/// allocates beyond the backend's reused buffers, none waits for the device, and none depends on
/// how sequences are batched.
public protocol Operation {
  /// Ends the program if shapes or row numbers do not fit.
  func check()
  /// The memory that the operation reads.
  var reads: [(any Operand)?] { get }
  /// The memory that the operation writes; it also reads what a `GradientTarget` adds to.
  var writes: [(any Operand)?] { get }
  /// The rows, inner size and columns of a product; the rows and columns of others that have any.
  var shape: [Int] { get }

  func run(on cpu: CPUBackend)
  func run(on gpu: CUDABackend)
}

extension Operation {
  /// The shape of the first operand that is read.
  public var shape: [Int] { (reads.first ?? nil)?.shape ?? [] }

  /// The bytes that the operation must read and write, each once.
  var bytes: Int { (reads + writes).reduce(0) { $0 + ($1?.bytes ?? 0) } }

  /// The name in words: `LayerNormBackward` is "layer norm backward".
  static var name: String {
    var words = ""
    for letter in "\(Self.self)" {
      words += letter.isUppercase ? (words.isEmpty ? "" : " ") + letter.lowercased() : String(letter)
    }
    return words
  }
}

/// Memory that an operation reads or writes.
public protocol Operand {
  var storage: Storage { get }
  /// The bytes that move when the operation reads or writes the memory.
  var bytes: Int { get }
  var shape: [Int] { get }
}

extension Tensor: Operand {
  /// The number of elements times the size of one.
  public var bytes: Int { count * storage.type.size }
  /// [rows, columns]
  public var shape: [Int] { [rows, columns] }
}

extension Indices: Operand {
  /// 4 for each number.
  public var bytes: Int { count * storage.type.size }
  /// [1, count]
  public var shape: [Int] { [1, count] }
}

extension GradientTarget: Operand {
  /// The tensor's storage.
  public var storage: Storage { tensor.storage }
  /// The tensor's bytes, twice if the gradient accumulates, since it is read and written.
  public var bytes: Int { tensor.bytes * (accumulate ? 2 : 1) }
  /// The tensor's shape.
  public var shape: [Int] { tensor.shape }
}

/// Some of the elements of a tensor.
struct Part: Operand {
  let tensor: Tensor
  let count: Int

  init(_ tensor: Tensor, count: Int) { (self.tensor, self.count) = (tensor, count) }

  var storage: Storage { tensor.storage }
  var bytes: Int { count * tensor.storage.type.size }
  var shape: [Int] { tensor.shape }
}
