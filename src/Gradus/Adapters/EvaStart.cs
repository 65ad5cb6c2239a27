using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// The start of LoRA's A by EVA (Paischer et al., "Parameter Efficient Fine-tuning via Explained Variance Adaptation", 2024): the main
/// directions of what each layer reads of the data; ranks go to the layers where they explain most of it.
/// </summary>
/// <param name="Directions">For the path of each layer its directions, (rank, in) row-major, the most important first.</param>
/// <param name="Ranks">The rank of each layer; 0 for those that get no adapter.</param>
public sealed record EvaStart(IReadOnlyDictionary<string, float[]> Directions, IReadOnlyDictionary<string, int> Ranks)
{
    /// <summary>A configuration of LoRA that starts from data.</summary>
    /// <param name="config">The configuration; its rank is the mean of the layers'.</param>
    /// <param name="model">The model, without adapters.</param>
    /// <param name="batches">What the layers are to read; at least as many tokens as the largest rank.</param>
    /// <param name="rho">The most that a layer's rank is larger than the mean, ≥ 1; 1 for equal ranks.</param>
    /// <exception cref="InvalidDataException">The configuration does not fit the model.</exception>
    public static LoraConfig Observe(LoraConfig config, LanguageModel model, IEnumerable<TokenBatch> batches, double rho = 2)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batches);
        ArgumentOutOfRangeException.ThrowIfLessThan(rho, 1);
        config = (LoraConfig)config.Resolve(model);
        Dictionary<Linear, InputMoments> observed = model.Parts.Linears.Where(l => config.Targets(l.Path)).ToDictionary(l => l, l => new InputMoments(l));
        if (observed.Count == 0)
            throw new InvalidDataException($"target_modules: \"{config.TargetModules}\" names no layer of the model.");
        LinearInputs observer = new((layer, x) => observed.GetValueOrDefault(layer)?.Add(x));
        foreach (TokenBatch batch in batches)
        {
            using Workspace step = model.Parts.Store.NewScratch();
            model.Hidden(new Pass(batch, step) { Observer = observer });
        }
        return Distribute(config, [.. observed.Values], rho);
    }

    private static LoraConfig Distribute(LoraConfig config, InputMoments[] layers, double rho)
    {
        Dictionary<string, SingularValues> found = layers.ToDictionary(
            l => l.Layer.Path, l => l.Directions((int)Math.Min(l.Layer.Weight.Inputs, config.RankOf(l.Layer.Path) * rho)), StringComparer.Ordinal);
        int budget = layers.Sum(l => Math.Min(l.Layer.Weight.Inputs, config.RankOf(l.Layer.Path)));
        // The shares of the variance that each further direction of each layer explains, the largest shares first.
        IEnumerable<string> chosen = layers
            .SelectMany(l => found[l.Layer.Path].Values.Select(v => (l.Layer.Path, Share: v / l.Total)))
            .OrderByDescending(d => d.Share)
            .Take(budget)
            .Select(d => d.Path);
        Dictionary<string, int> ranks = layers.ToDictionary(l => l.Layer.Path, _ => 0, StringComparer.Ordinal);
        foreach (string path in chosen)
            ranks[path]++;
        string[] none = [.. ranks.Where(r => r.Value == 0).Select(r => r.Key).Order(StringComparer.Ordinal)];
        Dictionary<string, float[]> directions = found.ToDictionary(
            f => f.Key, f => f.Value.Right.SelectMany(v => v.Select(x => (float)x)).ToArray(), StringComparer.Ordinal);
        // α/r stays what it was for every layer.
        Dictionary<string, double> alphas = ranks.Where(r => r.Value > 0)
            .ToDictionary(r => Regular(r.Key), r => config.ScaleOf(r.Key) * (config.UseRslora ? Math.Sqrt(r.Value) : r.Value), StringComparer.Ordinal);
        return config with
        {
            InitLoraWeights = LoraInit.Eva,
            RankPattern = ranks.Where(r => r.Value > 0).ToDictionary(r => Regular(r.Key), r => r.Value, StringComparer.Ordinal),
            AlphaPattern = alphas,
            ExcludeModules = none.Length == 0 ? config.ExcludeModules : new ModuleNames([.. config.ExcludeModules?.Values ?? [], .. none]),
            Start = new EvaStart(directions, ranks),
        };
    }

    private static string Regular(string path) => System.Text.RegularExpressions.Regex.Escape(path);

    /// <summary>Σ x·xᵀ of what a layer reads.</summary>
    private sealed class InputMoments(Linear layer)
    {
        private readonly double[] _moments = new double[layer.Weight.Inputs * layer.Weight.Inputs];

        public Linear Layer => layer;

        /// <summary>Σ ‖x‖².</summary>
        public double Total
        {
            get
            {
                double sum = 0;
                for (int i = 0; i < layer.Weight.Inputs; i++)
                    sum += _moments[i * (layer.Weight.Inputs + 1)];
                return Math.Max(sum, double.Epsilon);
            }
        }

        public void Add(Tensor x)
        {
            Tensor rows = x.Reshape(checked((int)(x.Count / layer.Weight.Inputs)), layer.Weight.Inputs).ToF32();
            ReadOnlySpan<float> gram = rows.MatMul(rows, transposeA: true).Values();
            for (int i = 0; i < gram.Length; i++)
                _moments[i] += gram[i];
        }

        /// <summary>The main directions; their values are Σ (v·x)².</summary>
        public SingularValues Directions(int count)
        {
            int n = layer.Weight.Inputs;
            float[] values = Array.ConvertAll(_moments, v => (float)v);
            return SingularValues.Largest(values, n, n, Math.Max(1, count), ReferenceDevice.Instance);
        }
    }
}
