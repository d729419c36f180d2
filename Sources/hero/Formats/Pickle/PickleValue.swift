/// What a pickle holds, once everything but data has been refused.
public enum PickleValue: Equatable, Sendable {
  case none
  case bool(Bool)
  case int(Int)
  /// An integer beyond 64 bits: its two's complement, little-endian.
  case bigInteger([UInt8])
  case double(Double)
  case string(String)
  case bytes([UInt8])
  case list([PickleValue])
  case tuple([PickleValue])
  case set([PickleValue])
  /// A `dict`, `OrderedDict` or `defaultdict`, in its order; of equal text keys the last one's
  /// value is kept.
  case dictionary([Entry])
  /// A numpy array; a numpy scalar becomes a plain `int`, `double` or `bool`.
  case array(NDArray)
  /// A torch tensor, which says where in which storage its elements are.
  indirect case tensor(TorchTensor)
  /// A name that stands for itself, such as `torch.float32`.
  case symbol(String)
  /// An array of a kind that is not read here, such as complex numbers or quantised ones: what it
  /// is, for a message.
  case foreignArray(String)
  /// A Python object, by the name of its class, such as `argparse.Namespace`. Nothing in it is
  /// looked at.
  case object(String)

  /// One entry of a dictionary.
  public struct Entry: Equatable, Sendable {
    /// Any value; Python's keys need not be texts.
    public var key: PickleValue
    /// What the key stands for.
    public var value: PickleValue
  }

  /// The text, if this is a string.
  public var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The number, if this is an integer that fits.
  public var int: Int? {
    if case .int(let number) = self { number } else { nil }
  }

  /// The number, if this is an integer or a float.
  public var double: Double? {
    switch self {
    case .double(let number): number
    case .int(let number): Double(number)
    default: nil
    }
  }

  /// The elements, if this is a list or a tuple.
  public var elements: [PickleValue]? {
    switch self {
    case .list(let elements), .tuple(let elements): elements
    default: nil
    }
  }

  /// The entries, if this is a dictionary.
  public var entries: [Entry]? {
    if case .dictionary(let entries) = self { entries } else { nil }
  }

  /// The value under a text key, if this is a dictionary that has it.
  public subscript(key: String) -> PickleValue? {
    entries?.last { $0.key == .string(key) }?.value
  }
}

/// The place of a tensor's elements: element `i, j, …` is number `offset + i·strides[0] +
/// j·strides[1] + …` of a storage.
public struct TorchTensor: Equatable, Sendable {
  /// The storage the elements are in, which several tensors may share.
  public var storage: TorchStorage
  /// The first element's number.
  public var offset: Int
  /// The size of each dimension.
  public var shape: [Int]
  /// For each dimension, how many elements one step is.
  public var strides: [Int]
}

/// A run of elements of one type that a checkpoint holds under a key.
public struct TorchStorage: Hashable, Sendable {
  /// What the checkpoint calls it.
  public var key: String
  /// What the elements are.
  public var type: ScalarType
  /// How many elements a tensor may refer to.
  public var count: Int
  /// Where they begin in the storage of that key (older checkpoints hold views of storages), in
  /// elements.
  public var start: Int
}
