/// The element types that arrays, checkpoints and feature files hold.
public enum ScalarType: String, CaseIterable, Sendable {
  case float16, bfloat16, float32, float64
  case int8, uint8, int16, int32, int64
  case bool

  /// The size of an element in bytes.
  public var size: Int {
    switch self {
    case .int8, .uint8, .bool: 1
    case .float16, .bfloat16, .int16: 2
    case .float32, .int32: 4
    case .float64, .int64: 8
    }
  }

  /// Whether the type holds floating-point numbers rather than integers or booleans.
  public var isFloatingPoint: Bool { rawValue.contains("float") }

  /// numpy's code without the byte order, such as `f4`; nil for `bfloat16`, which numpy does not
  /// have.
  public var numpyCode: String? {
    switch self {
    case .bfloat16: nil
    case .bool: "b1"
    case .uint8: "u1"
    default: (isFloatingPoint ? "f" : "i") + String(size)
    }
  }

  /// numpy's description of the little-endian type, such as `<f4` or `|b1`; nil for `bfloat16`.
  public var numpyDescription: String? {
    numpyCode.map { (size == 1 ? "|" : "<") + $0 }
  }

  /// Returns the type and byte order of a numpy description such as `<f4`, `>i8`, `|b1` or `f2`;
  /// nil for any other.
  static func numpy(_ description: String) -> (type: ScalarType, isBigEndian: Bool)? {
    var code = Substring(description)
    var isBigEndian = false
    if let first = code.first, "<>|=".contains(first) {
      isBigEndian = first == ">"
      code = code.dropFirst()
    }
    if code == "?" { return (.bool, false) }
    guard let type = allCases.first(where: { $0.numpyCode.map { $0 == code } ?? false }) else { return nil }
    return (type, isBigEndian && type.size > 1)
  }
}
