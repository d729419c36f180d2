import CCUDA

extension CUDABackend {
  /// Returns what a product reads of a tensor: the tensor itself or a copy in the activations'
  /// type.
  ///
  /// `kept` holds the storage of a copy that is made here.
  func factor(_ tensor: Tensor, transposed: Bool = false, kept: inout [Storage])
    -> CUDAProducts.Factor
  {
    let type = precision.activations
    if tensor.storage.type == type {
      return CUDAProducts.Factor(address: tensor.address, type: type, transposed: transposed)
    }
    let storage = tensor.storage.onDevice
    if type == .bfloat16, let copy = storage.copy {
      if storage.copyIsOld {
        let whole = Tensor(rows: 1, columns: storage.count, storage: storage)
        run(Copy(whole, to: Tensor(rows: 1, columns: storage.count, storage: copy)))
        storage.copyIsOld = false
      }
      return CUDAProducts.Factor(
        address: copy.address + UInt64(2 * tensor.offset), type: type, transposed: transposed)
    }
    let converted = Tensor(
      rows: tensor.rows, columns: tensor.columns, storage: makeStorage(count: tensor.count, type: type))
    run(Copy(tensor, to: converted))
    kept.append(converted.storage)
    return CUDAProducts.Factor(address: converted.address, type: type, transposed: transposed)
  }

  /// Returns the address of a bias that the product itself can add, else nil.
  ///
  /// Such a bias has the result's type and is aligned to 16 bytes.
  func fusedBias(_ bias: Tensor?, _ type: ElementType) -> UInt64? {
    guard let bias else { return nil }
    var address = bias.address
    if type == .bfloat16 {
      guard let copy = bias.storage.onDevice.copy, !bias.storage.onDevice.copyIsOld else { return nil }
      address = copy.address + UInt64(2 * bias.offset)
    }
    return address % 16 == 0 ? address : nil
  }

  /// Queues a product of few rows, with bias and activation, as one kernel.
  /// - Returns: false, with nothing queued, if the product does not fit that kernel.
  func thinProduct(
    _ x: CUDAProducts.Factor, _ weight: CUDAProducts.Factor, inner: Int, _ bias: Tensor?,
    _ activation: Activation,
    pre: Tensor, out: Tensor
  ) -> Bool {
    guard precision == .bf16, out.rows <= HERO_THIN_ROWS, out.columns <= HERO_THIN_COLUMNS, inner % 32 == 0,
      x.address % 16 == 0, weight.address % 16 == 0
    else { return false }
    products.count(2 * out.count * inner)
    launch(
      .thinProduct, grid: ((out.columns + 7) / 8, 1, 1), block: 256,
      hero_thin_arguments(
        x: UnsafePointer(bitPattern: UInt(x.address)),
        weight: UnsafePointer(bitPattern: UInt(weight.address)),
        bias: bias?.floats.map { UnsafePointer($0) }, pre: pre.view, out: out.view, rows: Int64(out.rows),
        columns: Int64(out.columns), inner: Int64(inner), activation: activation.rawValue))
    return true
  }
}
