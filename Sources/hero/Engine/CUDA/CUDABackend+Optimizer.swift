import CCUDA

extension CUDABackend {
  public func optimizerStep(
    _ kind: OptimizerKind, slices: [OptimizerSlice], parameters: Tensor, gradients: Tensor, first: Tensor,
    second: Tensor, betas: (Float, Float), epsilon: Float, clipping: GradientClipping?
  ) {
    precondition([gradients, first, second].allSatisfy { $0.count == parameters.count })
    let stretch = HERO_UPDATE_STRETCH
    var blocks = 0
    let table = slices.map { slice in
      precondition(slice.range.isWithin(parameters.count) && slice.step > 0)
      let rates = slice.rates(kind, betas: betas)
      defer { blocks += (slice.range.count + stretch - 1) / stretch }
      return hero_slice(
        start: Int64(slice.range.lowerBound), count: Int64(slice.range.count), first_block: Int64(blocks),
        weight_decay: slice.weightDecay, rate: rates.carried, step_size: rates.step)
    }
    guard blocks > 0 else { return }
    let bytes = table.count * MemoryLayout<hero_slice>.stride
    let slicesOnDevice = CUDAStorage(count: bytes / 4, type: .int32, memory: deviceMemory)
    table.withUnsafeBytes { deviceMemory.upload($0, to: slicesOnDevice.address) }
    let storage = parameters.storage.onDevice
    var arguments = hero_update_arguments()
    (arguments.values, arguments.gradients) = (parameters.floats, gradients.floats.map { UnsafePointer($0) })
    (arguments.first, arguments.second) = (first.floats, second.floats)
    // A copy that is old anyway is made anew as a whole.
    if let copy = storage.copy, !storage.copyIsOld {
      arguments.copy = UnsafeMutablePointer(bitPattern: UInt(copy.address) + UInt(2 * parameters.offset))
    }
    arguments.slices = UnsafePointer(bitPattern: UInt(slicesOnDevice.address))
    arguments.squares = clipping?.sumOfSquares.doubles.map { UnsafePointer($0) }
    arguments.limit = clipping?.limit ?? 0
    arguments.slice_count = Int32(table.count)
    arguments.kind =
      switch kind {
      case .adam: 0
      case .adamax: 1
      case .adamw: 2
      }
    (arguments.beta1, arguments.beta2, arguments.epsilon) = (betas.0, betas.1, epsilon)
    launch(.update, grid: (blocks, 1, 1), block: 256, arguments)
    withExtendedLifetime(slicesOnDevice) {}
  }
}
