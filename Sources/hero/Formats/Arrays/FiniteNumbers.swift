extension [Float] {
  /// The place of the first element that is no number or without bound; nil where all are finite.
  public var firstNotFinite: Int? {
    // Without branches, so that the compiler makes vector instructions of it: nearly always there is none.
    let exponent = Float.infinity.bitPattern
    var found: UInt32 = 0
    for value in self { found |= value.bitPattern & exponent == exponent ? 1 : 0 }
    return found != 0 ? firstIndex { !$0.isFinite } : nil
  }
}
