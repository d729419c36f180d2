/// A value while the pickle is run.
///
/// Whatever can contain other values is an object in the machine's table. So neither cycles nor
/// deep nesting ever depend on reference counts.
enum PickleItem {
  /// A number, a text, bytes, or None.
  case value(PickleValue)
  case global(PickleGlobal)
  case object(Int)
}

/// An entry of the machine's table of objects.
struct PickleObject {
  enum Kind {
    case list, tuple, set
    /// `items` alternate between keys and values.
    case dictionary
    /// A call that is kept as data, with its arguments in `items`.
    case call(PickleGlobal)
    /// A persistent id, whose one item is the reference.
    case persistent
  }

  var kind: Kind
  var items: [PickleItem] = []
  /// The argument of `BUILD`, for calls that cannot be interpreted without it.
  var state: PickleItem?
  /// The byte offset of the opcode that made it.
  var position: Int
}

/// A name that a pickle may use, and what it means; every other name is rejected.
enum PickleGlobal: Hashable {
  /// A constructor of a dictionary: `OrderedDict`, `dict` or `Counter`.
  case dictionary
  case defaultDictionary
  case list, tuple, set
  /// `_codecs.encode`, with which protocols 0 to 2 write bytes.
  case encode
  case bytes
  case numpyScalar, numpyReconstruct, numpyFromBuffer, numpyArray, numpyType
  case torchTensor, torchTensorV2, torchTensorV3, torchParameter, torchSize, torchDevice
  /// `_rebuild_from_type_v2(function, class, arguments, state)`: a tensor of a class of its own, or
  /// with attributes.
  case torchTyped
  /// A tensor that is no run of numbers in a storage: sparse, quantized or on another device.
  case torchForeignTensor(String)
  case torchStorage(ScalarType)
  /// A storage of unsupported elements, such as complex numbers: torch's name of it, and the size
  /// of an element in bytes.
  case torchForeignStorage(String, size: Int)
  /// A storage whose element type the tensor names.
  case torchUntypedStorage
  /// A module of a TorchScript archive, of any class; `BUILD` hands it its attributes as state.
  case torchScriptModule
  /// A name that stands for itself, such as `torch.float32` or `builtins.int`.
  case symbol(String)
  /// A class of objects that people save beside their weights; they are skipped, never made.
  case object(String)

  init?(module: String, name: String) {
    guard module.utf8.count + name.utf8.count <= 1024 else { return nil }
    // Python 2 and 3, and numpy 1 and 2, name the same things by different modules.
    let home =
      switch module {
      case "__builtin__": "builtins"
      case let numpy where numpy.hasPrefix("numpy.core."):
        "numpy._core." + numpy.dropFirst("numpy.core.".count)
      default: module
      }
    if let known = Self.known["\(home).\(name)"] {
      self = known
    } else if home == "__torch__" || home.hasPrefix("__torch__.") {
      self = .torchScriptModule
    } else if home == "torch", let type = Self.storages[name] {
      self = .torchStorage(type)
    } else if home == "torch", let size = Self.foreignStorages[name] {
      self = .torchForeignStorage(name, size: size)
    } else if home == "torch", ScalarType(rawValue: name) != nil || name.contains(Self.torchConstants) {
      self = .symbol("torch.\(name)")
    } else if home == "torch._utils" || home == "torch._tensor", name.hasPrefix("_rebuild_") {
      self = .torchForeignTensor(name)
    } else if Self.isClassOfData(home, name) {
      self = .object("\(home).\(name)")
    } else {
      return nil
    }
  }

  /// Returns whether a name looks like a class whose objects are data.
  ///
  /// Names of functions do not, and neither do Python's own ways to run something. Nothing is run
  /// here, but a file that asks for it is malicious and rejected.
  private static func isClassOfData(_ module: String, _ name: String) -> Bool {
    if dataMakers.contains("\(module).\(name)") || module.hasPrefix("numpy.random.") { return true }
    let root = module.prefix { $0 != "." }
    guard !runners.contains(String(root)), let last = name.split(separator: ".").last else { return false }
    return last.drop { $0 == "_" }.first?.isUppercase ?? false
  }

  private static let runners: Set<String> = [
    "_ctypes", "_pickle", "_posixsubprocess", "asyncio", "bdb", "builtins", "cProfile", "cloudpickle", "code",
    "codeop", "commands", "ctypes", "dill", "distutils", "ftplib", "http", "idlelib", "imaplib", "importlib",
    "inspect", "joblib", "marshal", "multiprocessing", "nt", "operator", "os", "pdb", "pickle", "pip",
    "platform",
    "poplib", "posix", "profile", "pty", "pydoc", "requests", "runpy", "setuptools", "shutil", "signal",
    "smtplib",
    "socket", "socketserver", "ssl", "subprocess", "sys", "telnetlib", "threading", "timeit", "trace",
    "types",
    "urllib", "venv", "webbrowser", "xmlrpc", "zipimport",
  ]

  /// The names that look like functions, but are classes of data or their constructors.
  private static let dataMakers: Set<String> = [
    "copyreg._reconstructor", "copy_reg._reconstructor", "builtins.object", "builtins.complex",
    "builtins.range",
    "builtins.slice", "collections.deque", "datetime.date", "datetime.datetime", "datetime.time",
    "datetime.timedelta", "datetime.timezone", "types.SimpleNamespace", "functools.partial",
    "torch.serialization._get_layout",
  ]

  private nonisolated(unsafe) static let torchConstants =
    /^(uint\d+|int\d+|complex\d+|float\d+\w*|quint\w+|qint\d+|bits\w+|per_\w+|strided|sparse_\w+|\w+_format)$/

  private static let foreignStorages: [String: Int] = [
    "ComplexFloatStorage": 8, "ComplexDoubleStorage": 16, "QUInt8Storage": 1, "QInt8Storage": 1,
    "QInt32Storage": 4, "QUInt4x2Storage": 1, "QUInt2x4Storage": 1,
  ]

  /// The size in bytes of a storage's elements; nil for names that are no storage.
  var elementSize: Int? {
    switch self {
    case .torchStorage(let type): type.size
    case .torchForeignStorage(_, let size): size
    case .torchUntypedStorage: 1
    default: nil
    }
  }

  private static let known: [String: PickleGlobal] = [
    "collections.OrderedDict": .dictionary, "collections.Counter": .dictionary, "builtins.dict": .dictionary,
    "collections.defaultdict": .defaultDictionary,
    "builtins.list": .list, "builtins.tuple": .tuple, "builtins.set": .set, "builtins.frozenset": .set,
    "builtins.bytes": .bytes, "builtins.bytearray": .bytes, "_codecs.encode": .encode,
    "builtins.int": .symbol("int"), "builtins.float": .symbol("float"), "builtins.str": .symbol("str"),
    "builtins.bool": .symbol("bool"),
    "numpy._core.multiarray.scalar": .numpyScalar, "numpy._core.multiarray._reconstruct": .numpyReconstruct,
    "numpy._core.numeric._frombuffer": .numpyFromBuffer, "numpy.ndarray": .numpyArray,
    "numpy.dtype": .numpyType,
    "torch._utils._rebuild_tensor": .torchTensor, "torch._utils._rebuild_tensor_v2": .torchTensorV2,
    "torch._utils._rebuild_tensor_v3": .torchTensorV3, "torch._utils._rebuild_parameter": .torchParameter,
    "torch._utils._rebuild_parameter_with_state": .torchParameter,
    "torch._tensor._rebuild_from_type_v2": .torchTyped, "torch._tensor._rebuild_from_type": .torchTyped,
    "torch.jit._pickle.build_intlist": .list, "torch.jit._pickle.build_doublelist": .list,
    "torch.jit._pickle.build_boollist": .list, "torch.jit._pickle.build_tensorlist": .list,
    "torch.Size": .torchSize, "torch.device": .torchDevice,
    "torch.storage.UntypedStorage": .torchUntypedStorage, "torch.UntypedStorage": .torchUntypedStorage,
  ]

  private static let storages: [String: ScalarType] = [
    "FloatStorage": .float32, "DoubleStorage": .float64, "HalfStorage": .float16,
    "BFloat16Storage": .bfloat16,
    "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8,
    "ByteStorage": .uint8, "BoolStorage": .bool,
  ]
}
