using System.Diagnostics;
using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using Gradus.Evaluation.Statistics;
using Gradus.Evaluation.Tasks;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Tensor = Gradus.Tensors.Tensor;

namespace Gradus.Training.Compression;

/// <summary>A mean with its standard error over blocks of text; the error is null for one block alone.</summary>
public readonly record struct Estimate(double Value, double? Error)
{
    /// <summary>As JSON.</summary>
    public JsonObject ToJson() => new() { ["value"] = Value, ["stderr"] = Error };
}

/// <summary>What a compressed model predicts otherwise than its original, on the same text.</summary>
/// <param name="Tokens">Tokens that were predicted.</param>
/// <param name="Original">Mean −log p of the original, in nats.</param>
/// <param name="Compressed">Mean −log p of the compressed model.</param>
/// <param name="Difference">The mean of the difference, token by token: its error is far smaller than those of the two.</param>
/// <param name="Divergence">Mean KL(original ‖ compressed) of the next token, in nats.</param>
/// <param name="SameTop">The share of tokens for which both find the same one most probable.</param>
/// <param name="OriginalTokensPerSecond">Tokens read per second by the original.</param>
/// <param name="CompressedTokensPerSecond">Tokens read per second by the compressed model.</param>
public sealed record CompressionLoss(
    int Tokens, Estimate Original, Estimate Compressed, Estimate Difference, Estimate Divergence, Estimate SameTop, double OriginalTokensPerSecond, double CompressedTokensPerSecond)
{
    private const int TokensAtOnce = 1024;
    private const int RowsAtOnce = 128;

    /// <summary>The perplexity of the original: e to its loss.</summary>
    public Estimate OriginalPerplexity => Perplexity(Original);

    /// <summary>The perplexity of the compressed model.</summary>
    public Estimate CompressedPerplexity => Perplexity(Compressed);

    /// <summary>By how much the perplexity is higher, in parts of the original's.</summary>
    public Estimate Increase => new(Math.Exp(Difference.Value) - 1, Difference.Error * Math.Exp(Difference.Value));

    /// <summary>Measures.</summary>
    /// <param name="original">The original.</param>
    /// <param name="compressed">The compressed model; the same vocabulary.</param>
    /// <param name="tokens">The text; two tokens at least.</param>
    /// <param name="block">Predicted tokens of a block; 0 for the model's context.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="InvalidDataException">There is nothing to predict, the vocabularies differ, or a loss is not a number.</exception>
    public static CompressionLoss Measure(GenerativeModel original, GenerativeModel compressed, int[] tokens, int block = 0, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(original);
        ArgumentNullException.ThrowIfNull(compressed);
        ArgumentNullException.ThrowIfNull(tokens);
        if (tokens.Length < 2)
            throw new InvalidDataException($"The text has {tokens.Length} tokens; there is nothing to predict. Give more text with --test.");
        if (original.Config.Vocabulary != compressed.Config.Vocabulary)
            throw new InvalidDataException($"The compressed model has {compressed.Config.Vocabulary} tokens, the original {original.Config.Vocabulary}; they cannot be compared.");
        int context = Math.Min(original.Config.ContextLength, compressed.Config.ContextLength);
        block = block == 0 ? context : Math.Min(block, context);
        Sums sums = new(block);
        using Reader first = new(original), second = new(compressed);
        int atOnce = Math.Max(1, TokensAtOnce / block) * block;
        for (int start = 0; start < tokens.Length - 1; start += atOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOnlySpan<int> piece = tokens.AsSpan(start, Math.Min(atOnce, tokens.Length - 1 - start) + 1);
            Tensor a = first.Read(piece, block), b = second.Read(piece, block);
            for (int row = 0; row < piece.Length - 1; row += RowsAtOnce)
            {
                int rows = Math.Min(RowsAtOnce, piece.Length - 1 - row);
                sums.Add(first.Logits(a, row, rows), second.Logits(b, row, rows), piece.Slice(row + 1, rows));
            }
            sums.EndPiece();
        }
        return sums.Result(first.Speed, second.Speed);
    }

    /// <summary>As JSON.</summary>
    public JsonObject ToJson() => new()
    {
        ["tokens"] = Tokens,
        ["perplexity_original"] = OriginalPerplexity.ToJson(),
        ["perplexity"] = CompressedPerplexity.ToJson(),
        ["perplexity_increase"] = Increase.ToJson(),
        ["loss_difference"] = Difference.ToJson(),
        ["kl_divergence"] = Divergence.ToJson(),
        ["same_top"] = SameTop.ToJson(),
        ["tokens_per_second_original"] = Math.Round(OriginalTokensPerSecond, 1),
        ["tokens_per_second"] = Math.Round(CompressedTokensPerSecond, 1),
    };

    private static Estimate Perplexity(Estimate loss) => new(Math.Exp(loss.Value), loss.Error * Math.Exp(loss.Value));

    // A model that reads pieces, and the time that it takes.
    private sealed class Reader(GenerativeModel model) : IDisposable
    {
        private readonly Workspace _workspace = model.Parts.Store.NewScratch(Precision.F32);
        private readonly Stopwatch _time = new();
        private Pass? _pass;
        private long _tokens;

        public double Speed => _time.Elapsed.TotalSeconds > 0 ? _tokens / _time.Elapsed.TotalSeconds : 0;

        public Tensor Read(ReadOnlySpan<int> tokens, int block)
        {
            _workspace.Reset();
            _pass = new Pass(LossTask.Batch(model, tokens, block), _workspace);
            _tokens += tokens.Length - 1;
            _time.Start();
            Tensor hidden = model.Hidden(_pass);
            _time.Stop();
            return hidden;
        }

        public float[] Logits(Tensor hidden, int row, int rows)
        {
            _time.Start();
            using Workspace inner = _workspace.OpenChild();
            float[] logits = model.Logits(inner.Adopt(hidden).Rows(row, rows), _pass!).ToArray();
            _time.Stop();
            return logits;
        }

        public void Dispose() => _workspace.Dispose();
    }

    private sealed class Sums(int block)
    {
        private readonly List<(double Original, double Compressed, double Divergence, double Same)> _rows = [];
        private readonly List<double[]> _blocks = [];

        public void Add(float[] a, float[] b, ReadOnlySpan<int> targets)
        {
            int rows = targets.Length, vocabulary = a.Length / rows, first = _rows.Count;
            _rows.AddRange(new (double, double, double, double)[rows]);
            int[] targetsOf = targets.ToArray();
            Parallel.For(0, rows, r => _rows[first + r] = Compare(a.AsSpan(r * vocabulary, vocabulary), b.AsSpan(r * vocabulary, vocabulary), targetsOf[r]));
        }

        public void EndPiece()
        {
            for (int start = 0; start < _rows.Count; start += block)
            {
                double[] sums = new double[6];
                foreach ((double original, double compressed, double divergence, double same) in _rows.Skip(start).Take(block))
                {
                    sums[0] += original;
                    sums[1] += compressed;
                    sums[2] += compressed - original;
                    sums[3] += divergence;
                    sums[4] += same;
                    sums[5]++;
                }
                _blocks.Add(sums);
            }
            _rows.Clear();
        }

        public CompressionLoss Result(double originalSpeed, double compressedSpeed)
        {
            double tokens = _blocks.Sum(b => b[5]);
            if (_blocks.FirstOrDefault(b => !double.IsFinite(b[0] + b[1] + b[3])) is not null)
                throw new InvalidDataException("The loss of a model is not a number: its weights are broken.");
            return new CompressionLoss((int)tokens, Of(0), Of(1), Of(2), Of(3), Of(4), originalSpeed, compressedSpeed);

            Estimate Of(int i) => new(
                _blocks.Sum(b => b[i]) / tokens,
                _blocks.Count < 2 ? null : Clustered.RatioError([.. _blocks.Select(b => b[i])], [.. _blocks.Select(b => b[5])]));
        }

        // Σ p·(log p − log q) in F64: small divergences are differences of nearly equal numbers.
        private static (double, double, double, double) Compare(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int target)
        {
            int top = TensorPrimitives.IndexOfMax(a), other = TensorPrimitives.IndexOfMax(b);
            double mostA = a[top], mostB = b[other], sumA = 0, sumB = 0, mean = 0;
            for (int v = 0; v < a.Length; v++)
            {
                double p = Math.Exp(a[v] - mostA);
                sumA += p;
                sumB += Math.Exp(b[v] - mostB);
                mean += p * ((a[v] - mostA) - (b[v] - mostB));
            }
            double logA = Math.Log(sumA), logB = Math.Log(sumB);
            return (logA - (a[target] - mostA), logB - (b[target] - mostB), (mean / sumA) - logA + logB, top == other ? 1 : 0);
        }
    }
}
