import CFFmpeg
import Foundation

/// The filters that rotate and mirror a stream's pictures for display.
///
/// They follow the display matrix that a container may carry: telephones store upright videos lying
/// on their side. Source: the `-autorotate` of FFmpeg's program.
struct DisplayRotation {
  /// The FFmpeg filters in their order, with their options.
  let filters: [(name: String, options: String)]
  /// Whether the rotation swaps width and height.
  let swapsSides: Bool

  init(of stream: UnsafeMutablePointer<AVStream>) {
    self.init(matrix: hero_av_display_matrix(stream).map { Array(UnsafeBufferPointer(start: $0, count: 9)) })
  }

  /// - Parameter matrix: the nine numbers of the display matrix, nil if there is none.
  init(matrix: [Int32]?) {
    guard let matrix, matrix.count == 9 else {
      (filters, swapsSides) = ([], false)
      return
    }
    let angle = -av_display_rotation_get(matrix).rounded()
    let turn = angle.isFinite ? angle - 360 * (angle / 360 + 0.9 / 360).rounded(.down) : 0
    func isNear(_ wanted: Double) -> Bool { abs(turn - wanted) < 1 }
    swapsSides = isNear(90) || isNear(270)
    if isNear(90) {
      filters = [("transpose", matrix[3] > 0 ? "cclock_flip" : "clock")]
    } else if isNear(180) {
      filters = (matrix[0] < 0 ? [("hflip", "")] : []) + (matrix[4] < 0 ? [("vflip", "")] : [])
    } else if isNear(270) {
      filters = [("transpose", matrix[3] < 0 ? "clock_flip" : "cclock")]
    } else if abs(turn) > 1 {
      filters = [("rotate", "\(turn)*PI/180")]
    } else {
      filters = matrix[4] < 0 ? [("vflip", "")] : []
    }
  }
}
