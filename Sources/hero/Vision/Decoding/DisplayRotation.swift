import CFFmpeg
import Foundation

/// How a stream's pictures are turned and mirrored to be shown, from the matrix that its container
/// may carry.
///
/// Telephones store upright videos lying on their side. Source: what FFmpeg's program does by
/// itself (`-autorotate`).
struct DisplayRotation {
  /// FFmpeg's filters in order, with their options.
  let filters: [(name: String, options: String)]
  /// Whether height and width change places.
  let swapsSides: Bool

  init(of stream: UnsafeMutablePointer<AVStream>) {
    self.init(matrix: hero_av_display_matrix(stream).map { Array(UnsafeBufferPointer(start: $0, count: 9)) })
  }

  /// - Parameter matrix: nine numbers as containers have them, nil where there is none.
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
