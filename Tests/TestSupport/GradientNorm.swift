import Engine

extension ParameterStore {
  /// Returns the norm of all gradients together.
  public func gradientNorm() -> Double {
    let squares = backend.makeSums()
    addGradientSquares(to: squares, at: 0)
    return backend.numbers(of: [squares])[0].squareRoot()
  }
}
