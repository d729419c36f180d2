import Engine
import TestSupport
import Testing

@testable import Bench

/// `hero gpu-check` on the emulated device.
@Suite(.serialized) struct DeviceCheckTests {
  @Test(arguments: [TestDevice.gpu, .gpuBF16]) func aRightDevicePasses(device: TestDevice) throws {
    let device = try device.open()
    try Device.link(device, among: SoleCommunicator.shared) { Issue.record("\($0)") }
    let check = DeviceCheck(device: device, cpu: try CPUBackend(threads: 1), size: .small)
    let rows = check.run(updates: 50)
    #expect(rows.count > 30 && rows.last?.name == "NCCL, one rank")
    for row in rows { #expect(row.passes, "\(row.name): \(row.error) of \(row.tolerance)") }
  }

  /// The comparison detects differences.
  @Test func differencesAreSeen() throws {
    let cpu = try CPUBackend(threads: 1)
    let check = DeviceCheck(device: cpu, cpu: cpu, size: .small)
    #expect(check.distance([1, 2, 3], [1, 2, 3]) == 0)
    #expect(check.distance([1, 2, 3.1], [1, 2, 3]) > 0.02)
    #expect(check.distance([1, .nan, 3], [1, 2, 3]) == .infinity)
    #expect(check.distance([1, 2], [1, 2, 3]) == .infinity)
  }
}
