using System.Reflection;
using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>
/// Every operation's derivative against differences of the reference device's values, and every device's derivatives against the
/// reference's.
/// </summary>
public sealed class GradientTests
{
    // Fourth-order central differences: the truncation error is of the order h⁴, and rounding the outputs to float costs about 10⁻⁷/h.
    private const double Step = 0.02;

    public static TheoryData<string> Names() => [.. GradientCases.All.Select(c => c.ToString())];

    public static TheoryData<string, string> NamesOnDevices()
    {
        TheoryData<string, string> data = [];
        foreach (string device in TestDevices.CpuNames)
        {
            foreach (string operation in GradientCases.All.Select(c => c.Operation).Distinct())
                data.Add(operation, device);
        }
        return data;
    }

    [Fact]
    public void EveryOperationHasACase()
    {
        IEnumerable<string> operations = typeof(Tensor).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(m => m.ReturnType == typeof(Tensor) && !m.IsSpecialName)
            .Select(m => m.Name)
            .Distinct();
        string[] missing = [.. operations.Except(GradientCases.All.Select(c => c.Operation))];
        Assert.True(missing.Length == 0, $"No gradient case for {string.Join(", ", missing)}: add some to GradientCases.");
    }

    [Fact]
    public void CasesHaveNamesOfTheirOwn() =>
        Assert.Equal(GradientCases.All.Count, GradientCases.All.Select(c => c.ToString()).Distinct().Count());

    [Theory]
    [MemberData(nameof(Names))]
    public void DerivativesAreThoseOfTheValues(string name)
    {
        GradientCase c = Find(name);
        (float[] output, float[]?[] gradients) = c.Differentiate(ReferenceDevice.Instance, _ => true);
        Assert.All(output, v => Assert.True(float.IsFinite(v)));
        for (int i = 0; i < c.Inputs.Length; i++)
        {
            Assert.All(gradients[i] ?? [], g => Assert.True(output.Length > 0 ? float.IsFinite(g) : g == 0, $"{c}: input {i} has the gradient {g}"));
            if (c.Inputs[i].Values.Length > 0 && output.Length > 0)
                CheckInput(c, i, gradients[i] ?? new float[c.Inputs[i].Values.Length]);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AnyInputMayBeTheOnlyOneWithAGradient(string name)
    {
        GradientCase c = Find(name);
        float[]?[] all = c.Differentiate(ReferenceDevice.Instance, _ => true).Gradients;
        for (int only = 0; only < c.Inputs.Length; only++)
        {
            float[]?[] gradients = c.Differentiate(ReferenceDevice.Instance, i => i == only).Gradients;
            for (int i = 0; i < gradients.Length; i++)
            {
                if (i == only)
                    Assert.Equal(all[i], gradients[i]);
                else
                    Assert.Null(gradients[i]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void GradientsOfTwoUsesAddUp(string name)
    {
        GradientCase c = Find(name);
        float[]?[] once = c.Differentiate(ReferenceDevice.Instance, _ => true).Gradients;
        AssertTwice(once, c.Differentiate(ReferenceDevice.Instance, _ => true, uses: 2).Gradients, name);
        float[]?[] parameters = c.DifferentiateParameters(ReferenceDevice.Instance, steps: 1);
        for (int i = 0; i < once.Length; i++)
            Assert.Equal(once[i], parameters[i]);
        AssertTwice(once, c.DifferentiateParameters(ReferenceDevice.Instance, steps: 2), name);
    }

    [Theory]
    [MemberData(nameof(NamesOnDevices))]
    public void EveryDeviceAgrees(string operation, string deviceName)
    {
        Device device = TestDevices.Get(deviceName);
        foreach (GradientCase c in GradientCases.All.Where(c => c.Operation == operation))
        {
            (float[] expected, float[]?[] expectedGradients) = c.Differentiate(ReferenceDevice.Instance, _ => true);
            (float[] output, float[]?[] gradients) = c.Differentiate(device, _ => true);
            Agreement.Check(expected, output, 2e-6, $"{c} on {deviceName}: output");
            for (int i = 0; i < gradients.Length; i++)
                Agreement.Check(expectedGradients[i] ?? [], gradients[i] ?? [], 2e-6, $"{c} on {deviceName}: gradient {i}");
            float[]?[] twice = c.DifferentiateParameters(device, steps: 2);
            for (int i = 0; i < gradients.Length; i++)
                Agreement.Check([.. (expectedGradients[i] ?? []).Select(g => 2 * g)], twice[i] ?? [], 2e-6, $"{c} on {deviceName}: gradient {i} of a parameter, twice");
        }
    }

    private static GradientCase Find(string name) => GradientCases.All.Single(c => c.ToString() == name);

    private static void AssertTwice(float[]?[] once, float[]?[] twice, string name)
    {
        for (int i = 0; i < once.Length; i++)
            Agreement.Check([.. (once[i] ?? []).Select(g => 2 * g)], twice[i] ?? [], 2e-6, $"{name}: gradient {i}");
    }

    private static void CheckInput(GradientCase c, int input, float[] gradient)
    {
        Assert.Equal(c.Inputs[input].Values.Length, gradient.Length);
        double scale = Math.Max(1e-2, Math.Sqrt(gradient.Sum(g => (double)g * g) / gradient.Length));
        int stride = Math.Max(1, gradient.Length / 24);
        for (int e = 0; e < gradient.Length; e += stride)
        {
            double[] direction = new double[gradient.Length];
            direction[e] = 1;
            Compare(c, input, gradient, direction, scale, $"element {e}");
        }
        for (int trial = 0; trial < 3; trial++)
        {
            double[] direction = [.. gradient.Select((_, i) => CounterRandom.Normal((ulong)trial, i))];
            double length = Math.Sqrt(direction.Sum(d => d * d));
            Compare(c, input, gradient, [.. direction.Select(d => d / length)], scale, $"direction {trial}");
        }
    }

    private static void Compare(GradientCase c, int input, float[] gradient, double[] direction, double scale, string where)
    {
        double analytic = gradient.Select((g, i) => g * direction[i]).Sum();
        double numeric = ((8 * Difference(c, input, direction, Step)) - Difference(c, input, direction, 2 * Step)) / (12 * Step);
        double allowed = (1e-3 * Math.Abs(analytic)) + (3e-4 * scale);
        Assert.True(Math.Abs(analytic - numeric) <= allowed, $"{c}, input {input}, {where}: the derivative is {analytic}, differences say {numeric}");
    }

    private static double Difference(GradientCase c, int input, double[] direction, double step) =>
        Value(c, input, direction, step) - Value(c, input, direction, -step);

    private static double Value(GradientCase c, int input, double[] direction, double step)
    {
        float[][] inputs = [.. c.Inputs.Select(i => i.Values)];
        inputs[input] = [.. inputs[input].Select((v, i) => (float)(v + (step * direction[i])))];
        float[] y = c.Values(ReferenceDevice.Instance, inputs);
        float[] weights = GradientCase.Weights(y.Length);
        double sum = 0;
        for (int i = 0; i < y.Length; i++)
            sum += (double)y[i] * weights[i];
        return sum;
    }
}
