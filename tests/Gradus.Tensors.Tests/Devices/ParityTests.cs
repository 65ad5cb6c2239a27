using System.Reflection;
using Gradus.Tensors.Cpu;
using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>Every operation of every device computes what the reference computes, writes nothing else, and has the same bits on any number of threads.</summary>
public sealed class ParityTests
{
    public static TheoryData<string, string> Operations()
    {
        TheoryData<string, string> data = [];
        foreach (string operation in DeviceCases.All.Select(c => c.Operation).Distinct())
        {
            // AMX and AVX512-BF16 have matrix products of their own; all else is AVX-512.
            foreach (string device in TestDevices.CpuNames.Where(d => Enum.Parse<Isa>(d) <= Isa.Avx512 || operation is nameof(Device.MatMul) or nameof(Device.MatMulPacked)))
                data.Add(operation, device);
        }
        return data;
    }

    [Fact]
    public void EveryOperationHasACase()
    {
        // Memory has tests of its own in WorkspaceTests.
        string[] memory = [nameof(Device.Allocate), nameof(Device.Free), nameof(Device.Poison), nameof(Device.PackedShape), nameof(Device.KeepsPackedRows)];
        IEnumerable<string> operations = typeof(Device).GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
            .Where(m => m.IsAbstract && !m.IsSpecialName)
            .Select(m => m.Name);
        string[] missing = [.. operations.Except(memory).Except(DeviceCases.All.Select(c => c.Operation))];
        Assert.True(missing.Length == 0, $"No case for {string.Join(", ", missing)}: add some to DeviceCases.");
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public void ComputesWhatTheReferenceComputes(string operation, string device)
    {
        foreach (DeviceCase c in Of(operation))
        {
            float[][] expected = c.Expected, actual = c.Run(TestDevices.Get(device));
            for (int i = 0; i < expected.Length; i++)
                Agreement.Check(expected[i], actual[i], c.Tolerance, $"{c} on {device}, result {i}");
        }
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public void HasTheSameBitsOnAnyNumberOfThreads(string operation, string device)
    {
        Isa isa = Enum.Parse<Isa>(device);
        using Workers one = new(1), two = new(2), eight = new(8);
        foreach (DeviceCase c in Of(operation))
        {
            float[][] expected = c.Run(CpuDevice.Create(isa, one));
            foreach (Device other in (Device[])[CpuDevice.Create(isa, two), TestDevices.Get(device), CpuDevice.Create(isa, eight)])
            {
                float[][] actual = c.Run(other);
                for (int i = 0; i < expected.Length; i++)
                    Agreement.CheckBits(expected[i], actual[i], $"{c} on {other.Name}, result {i}");
            }
        }
    }

    private static IEnumerable<DeviceCase> Of(string operation) => DeviceCases.All.Where(c => c.Operation == operation);
}
