namespace Gradus.Tensors.Tests;

/// <summary>The values of one differentiable input.</summary>
internal sealed record Given(int[] Axes, float[] Values)
{
    private static int _seed = 1;

    /// <summary>Standard normal values.</summary>
    public static Given Normal(params int[] axes) => From(axes, r => (float)CounterRandom.Normal(r.Key, r.Index));

    /// <summary>Values in [0.5, 2).</summary>
    public static Given Positive(params int[] axes) => From(axes, r => 0.5f + (1.5f * (float)CounterRandom.Uniform(r.Key, r.Index)));

    /// <summary>Values in (−3, 3), and some near 6, none within 0.1 of the places where activations have a corner (0 and 6).</summary>
    public static Given OffCorners(params int[] axes) => From(axes, r =>
    {
        float x = (6f * (float)CounterRandom.Uniform(r.Key, r.Index)) - 3f;
        x += x >= 0 ? 0.1f : -0.1f;
        return r.Index % 5 == 4 ? 6f + x : x;
    });

    private static Given From(int[] axes, Func<(ulong Key, long Index), float> draw)
    {
        ulong key = CounterRandom.Derive(17, (ulong)_seed++);
        float[] values = new float[new Shape(axes).Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = draw((key, i));
        return new Given(axes, values);
    }
}

/// <summary>An operation with inputs on which its derivative is checked.</summary>
/// <param name="Operation">The name of the method of <see cref="Tensor"/>.</param>
/// <param name="Variant">What this case is about.</param>
/// <param name="Inputs">All inputs that have a derivative.</param>
/// <param name="Forward">The operation; other inputs it makes itself, in the first input's workspace.</param>
internal sealed record GradientCase(string Operation, string Variant, Given[] Inputs, Func<Tensor[], Tensor> Forward)
{
    public override string ToString() => $"{Operation}: {Variant}";

    /// <summary>The output, without a tape, for other values of the inputs.</summary>
    public float[] Values(Device device, float[][] inputs)
    {
        using Workspace w = new(device) { PoisonNewTensors = true };
        return Forward(Tensors(w, inputs)).ToArray();
    }

    /// <summary>Weights of the outputs, so that the case has one number to differentiate.</summary>
    public static float[] Weights(int count)
    {
        float[] weights = new float[count];
        for (int i = 0; i < count; i++)
            weights[i] = (float)CounterRandom.Normal(99, i);
        return weights;
    }

    /// <summary>The output, and the inputs' gradients of its weighted sum; null for inputs that were not watched.</summary>
    /// <param name="device">The device.</param>
    /// <param name="watched">Which inputs need a gradient.</param>
    /// <param name="uses">How often the operation is done with the same inputs; the outputs are added.</param>
    public (float[] Output, float[]?[] Gradients) Differentiate(Device device, Func<int, bool> watched, int uses = 1)
    {
        using Workspace w = new(device) { PoisonNewTensors = true };
        Tensor[] x = Tensors(w, [.. Inputs.Select(i => i.Values)]);
        Tape tape = w.StartTape();
        for (int i = 0; i < x.Length; i++)
        {
            if (watched(i))
                Tape.Watch(x[i]);
        }
        Tensor y = Forward(x);
        for (int i = 1; i < uses; i++)
            y = y.Add(Forward(x));
        float[] output = y.ToArray();
        if (y.NeedsGradient)
            tape.Backward(y, w.From(Weights(output.Length), y.Shape));
        return (output, [.. x.Select(t => t.Gradient?.ToArray())]);
    }

    /// <summary>The same through parameters: their gradients after some steps on the same values, without clearing in between.</summary>
    public float[]?[] DifferentiateParameters(Device device, int steps)
    {
        using Workspace w = new(device) { PoisonNewTensors = true };
        Parameter[] parameters = [.. Tensors(w, [.. Inputs.Select(i => i.Values)]).Select((t, i) => new Parameter($"p{i}", t) { Trainable = true })];
        for (int i = 0; i < steps; i++)
        {
            Tape tape = w.StartTape();
            Tensor y = Forward([.. parameters.Select(p => p.Value)]);
            tape.Backward(y, w.From(Weights((int)y.Count), y.Shape));
        }
        return [.. parameters.Select(p => p.Gradient?.ToArray())];
    }

    private Tensor[] Tensors(Workspace w, float[][] values)
    {
        Tensor[] x = new Tensor[Inputs.Length];
        for (int i = 0; i < x.Length; i++)
            x[i] = w.From(values[i], new Shape(Inputs[i].Axes));
        return x;
    }
}
