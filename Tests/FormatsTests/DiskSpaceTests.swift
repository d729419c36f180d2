import TestSupport
import Testing

@testable import Formats

struct DiskSpaceTests {
  @Test func moreThanIsFreeIsRefused() throws {
    let folder = try TemporaryFolder()
    let free = try #require(DiskSpace.free(in: folder.root))
    try DiskSpace.require(min(free, 1), in: folder.root, for: "a byte's worth of states")
    let error = #expect(throws: DataError.self) {
      try DiskSpace.require(Int.max, in: folder.root, for: "the run's states")
    }
    #expect(error?.description.contains("are free") == true)
    // Where the free space is unknown, nothing is refused.
    try DiskSpace.require(Int.max, in: folder.path("nowhere"), for: "states")
  }
}
