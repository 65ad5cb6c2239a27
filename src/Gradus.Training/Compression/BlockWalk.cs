using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression;

/// <summary>
/// Walks through a model block by block: of every piece of a text only the input of the current block is kept, so that whoever looks at one
/// block's activations needs no memory for those of the others, and whoever has changed it goes on with what the changed one gives.
/// Works for every architecture, since all run their blocks through <see cref="Pass.Run"/>.
/// </summary>
public sealed class BlockWalk : IDisposable
{
    private readonly LanguageModel _model;
    private readonly IReadOnlyList<TokenBatch> _batches;
    private readonly Workspace _workspace;
    private readonly Replay _replay = new();

    /// <summary>Stands before the first block.</summary>
    /// <param name="model">The model; without adapters.</param>
    /// <param name="text">What it reads.</param>
    public BlockWalk(LanguageModel model, CalibrationText text)
        : this(model, text, null)
    {
    }

    /// <summary>Stands before the first block with inputs of its own.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">Tokens, as many as there are rows of inputs.</param>
    /// <param name="inputs">(N, C) for each batch, or null: the embedded tokens.</param>
    internal BlockWalk(LanguageModel model, CalibrationText text, float[][]? inputs)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(text);
        (_model, _batches, _workspace) = (model, text.Batches, model.Parts.Store.NewScratch(Precision.F32));
        _replay.Target = -1;
        Run(0, null);
        Count = _replay.Seen;
        (_replay.Target, _replay.Inputs) = (0, inputs);
    }

    /// <summary>The blocks, those of an encoder first.</summary>
    public int Count { get; }

    /// <summary>The number of the current block, from 0; <see cref="Count"/> at the end.</summary>
    public int Current => _replay.Target;

    /// <summary>How many batches have a number of tokens together, at least one.</summary>
    internal int BatchesOf(int tokens)
    {
        int count = 0, sum = 0;
        while (count < _batches.Count && sum < tokens)
            sum += _batches[count++].Count;
        return count;
    }

    /// <summary>Runs the current block over all of the text, or the beginning of it.</summary>
    /// <param name="observer">Sees the inputs of the block's linear layers, batch by batch.</param>
    /// <param name="batches">The most batches; all where null.</param>
    public void Observe(Observer observer, int? batches = null)
    {
        for (int b = 0; b < Math.Min(batches ?? int.MaxValue, _batches.Count); b++)
            Run(b, observer);
    }

    /// <summary>What the current block gives, (N, C) for each batch.</summary>
    /// <param name="batches">The most batches; all where null.</param>
    public float[][] Outputs(int? batches = null)
    {
        float[][] outputs = new float[Math.Min(batches ?? int.MaxValue, _batches.Count)][];
        for (int b = 0; b < outputs.Length; b++)
        {
            Run(b, null);
            outputs[b] = _replay.Output;
        }
        return outputs;
    }

    /// <summary>Goes to the next block, which reads what this one gives now.</summary>
    public void Advance() => Advance(Outputs());

    /// <summary>Goes to the next block, which reads what is given.</summary>
    /// <param name="outputs">(N, C) for each batch.</param>
    public void Advance(float[][] outputs) => _replay.Advance(outputs);

    /// <summary>Frees the activations; not the model.</summary>
    public void Dispose() => _workspace.Dispose();

    private void Run(int batch, Observer? observer)
    {
        _workspace.Reset();
        Pass pass = new(_batches[batch], _workspace) { Runner = _replay };
        pass.Observer = observer is null ? null : new Gate(observer, _replay);
        if (pass.Source is { } source)
            source.Observer = pass.Observer;
        _replay.Begin(pass, batch);
        _model.Hidden(pass);
    }

    // Runs one block and hands the input of every other one on.
    private sealed class Replay : BlockRunner
    {
        private Pass? _main;
        private int _batch;
        private bool _targetIsEncoder;
        private (int Block, float[][] Outputs)? _encoded;
        private bool _cameFromEncoder;

        public int Target { get; set; }

        public float[][]? Inputs { get; set; }

        public int Seen { get; private set; }

        public bool IsRunning { get; private set; }

        public float[] Output { get; private set; } = [];

        public void Begin(Pass main, int batch) => (_main, _batch, Seen) = (main, batch, 0);

        // The decoder asks for what the encoder's last block gave as long as it runs, and begins with its own embedded tokens.
        public void Advance(float[][] outputs)
        {
            _cameFromEncoder = _targetIsEncoder;
            if (_targetIsEncoder)
                _encoded = (Target, outputs);
            Inputs = outputs;
            Target++;
        }

        public override Tensor Run(Pass pass, IBlock block, Tensor x)
        {
            int number = Seen++;
            bool isEncoder = pass != _main && _main?.Source is not null;
            if (number == Target)
            {
                _targetIsEncoder = isEncoder;
                if (Inputs is not null && (isEncoder || !_cameFromEncoder))
                    x = Restore(x, Inputs[_batch]);
                IsRunning = true;
                Tensor y = Compute(pass, block, x);
                IsRunning = false;
                Output = y.ToArray();
                return y;
            }
            return isEncoder && _encoded is { } encoded && number == encoded.Block && Target > number ? Restore(x, encoded.Outputs[_batch]) : x;
        }

        private static Tensor Restore(Tensor x, float[] values)
        {
            int rows = checked((int)x.Shape.Rows);
            return x.Workspace.From(values, new Shape(rows, values.Length / rows));
        }
    }

    // Layers outside the blocks run every time; they are none of the current block's.
    private sealed class Gate(Observer observer, Replay replay) : Observer
    {
        public override void LinearInput(Linear linear, Tensor x)
        {
            if (replay.IsRunning)
                observer.LinearInput(linear, x);
        }
    }
}
