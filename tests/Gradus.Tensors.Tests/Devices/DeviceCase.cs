namespace Gradus.Tensors.Tests;

/// <summary>One call of a device's operation.</summary>
/// <param name="Operation">The name of the method of <see cref="Device"/>.</param>
/// <param name="Variant">What this case is about.</param>
/// <param name="Call">Makes inputs and outputs on the bench and calls the operation.</param>
internal sealed record DeviceCase(string Operation, string Variant, Action<Bench> Call)
{
    private float[][]? _expected;

    /// <summary>How much results may differ from the reference's, in parts of their size.</summary>
    public double Tolerance { get; init; } = 2e-6;

    /// <summary>What the reference computes.</summary>
    public float[][] Expected => _expected ??= Run(ReferenceDevice.Instance);

    public override string ToString() => $"{Operation}: {Variant}";

    /// <summary>The results of a device.</summary>
    public float[][] Run(Device device)
    {
        using Bench bench = new(device, 5);
        Call(bench);
        return bench.Results($"{this} on {device.Name}");
    }
}
