using System.Collections.Concurrent;

namespace Gradus.Tensors.Tests;

/// <summary>
/// The inputs and outputs of one call of a device, the same for every device. Each is a part of a larger buffer, at an odd place:
/// around inputs lie NaNs, so that a read outside is seen in the result; around outputs lie sentinels, so that a write outside is seen.
/// Outputs begin as NaN.
/// </summary>
internal sealed class Bench : IDisposable
{
    private const int Before = 13, After = 35;
    private const float Sentinel = -12345.678f;

    // Every device gets the same numbers, so they are made once.
    private static readonly ConcurrentDictionary<(ulong, int), float[]> Drawn = new();
    private readonly List<(Tensor Whole, float[] Values)> _inputs = [];
    private readonly List<(Tensor Whole, Tensor Part)> _outputs = [];
    private readonly List<float> _numbers = [];
    private readonly ulong _key;
    private ulong _drawn;

    public Bench(Device device, ulong seed)
    {
        Device = device;
        Workspace = new Workspace(device) { PoisonNewTensors = true };
        _key = CounterRandom.Derive(seed, "bench");
    }

    public Device Device { get; }

    public Workspace Workspace { get; }

    /// <summary>An input of standard normal values.</summary>
    public Tensor Normal(params int[] axes)
    {
        return Of(Drawn.GetOrAdd((CounterRandom.Derive(_key, _drawn++), (int)new Shape(axes).Count), MakeNormal), axes);
    }

    private static float[] MakeNormal((ulong Key, int Count) stream)
    {
        float[] values = new float[stream.Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)CounterRandom.Normal(stream.Key, i);
        return values;
    }

    /// <summary>An input of given values.</summary>
    public Tensor Of(float[] values, params int[] axes)
    {
        (Tensor whole, Tensor part) = Surrounded(new Shape(axes), float.NaN);
        values.CopyTo(part.Span());
        _inputs.Add((whole, whole.ToArray()));
        return part;
    }

    /// <summary>An input of given values in another floating-point type.</summary>
    public Tensor Of(float[] values, DType type, params int[] axes)
    {
        Tensor x = Workspace.Empty(new Shape(axes), type);
        ReferenceDevice.Instance.Convert(Workspace.From(values, new Shape(axes)), x);
        return x;
    }

    /// <summary>Random integers from <paramref name="least"/> on, below <paramref name="limit"/>.</summary>
    public Tensor Integers(int count, int least, int limit)
    {
        ulong key = CounterRandom.Derive(_key, _drawn++);
        return Workspace.From([.. Enumerable.Range(0, count).Select(i => least + CounterRandom.Below(key, i, limit - least))]);
    }

    /// <summary>A place for a result.</summary>
    public Tensor Output(params int[] axes)
    {
        (Tensor whole, Tensor part) = Surrounded(new Shape(axes), Sentinel);
        part.Span().Fill(float.NaN);
        _outputs.Add((whole, part));
        return part;
    }

    /// <summary>A place for a result that holds normal values at first.</summary>
    public Tensor Updated(params int[] axes)
    {
        (Tensor whole, Tensor part) = Surrounded(new Shape(axes), Sentinel);
        Normal(axes).Span().CopyTo(part.Span());
        _outputs.Add((whole, part));
        return part;
    }

    /// <summary>A place for a result whose contents do not matter in the end.</summary>
    public Tensor Output(DType type, params int[] axes) => Workspace.Empty(new Shape(axes), type);

    /// <summary>A result that is a number.</summary>
    public void Report(double number) => _numbers.Add((float)number);

    /// <summary>All results, after a look at what must not have changed.</summary>
    public float[][] Results(string what)
    {
        foreach ((Tensor whole, float[] values) in _inputs)
            Agreement.CheckBits(values, whole.Span(), $"{what}: an input");
        foreach ((Tensor whole, Tensor part) in _outputs)
        {
            Span<float> all = whole.Span();
            Assert.True(!all[..Before].ContainsAnyExcept(Sentinel), $"{what}: wrote before an output");
            Assert.True(!all[(Before + (int)part.Count)..].ContainsAnyExcept(Sentinel), $"{what}: wrote behind an output");
        }
        return [.. _outputs.Select(o => o.Part.ToArray()), [.. _numbers]];
    }

    public void Dispose() => Workspace.Dispose();

    private (Tensor Whole, Tensor Part) Surrounded(Shape shape, float around)
    {
        Tensor whole = Workspace.Empty(new Shape(Before + (int)shape.Count + After));
        whole.Span().Fill(around);
        return (whole, Workspace.View(whole, shape, Before * sizeof(float)));
    }
}
