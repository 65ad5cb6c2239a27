using Gradus.Tensors;

namespace Gradus.Training.Data.Cleaning;

/// <summary>A source of a mixture.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Files">Its files.</param>
/// <param name="Weight">Its share of the documents, before temperature; &gt; 0.</param>
public sealed record MixtureSource(string Name, IReadOnlyList<string> Files, double Weight);

/// <summary>
/// Mixes corpora by weights: every place of the output draws a source, a function of seed and place, and takes its next document; a source that ends begins
/// anew. A temperature T takes each weight to the power 1/T (Raffel et al., 2020).
/// </summary>
public static class CorpusMixture
{
    /// <summary>The shares of sources.</summary>
    /// <param name="weights">Weights, &gt; 0.</param>
    /// <param name="temperature">1 for the weights as they are; larger ones make them more alike.</param>
    public static double[] Shares(IReadOnlyList<double> weights, double temperature)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(temperature, 0);
        double[] powers = [.. weights.Select(w => Math.Pow(w, 1 / temperature))];
        double sum = powers.Sum();
        return [.. powers.Select(p => p / sum)];
    }

    /// <summary>Writes a mixture.</summary>
    /// <param name="sources">The sources, at least one.</param>
    /// <param name="documents">How many documents are written.</param>
    /// <param name="temperature">The temperature.</param>
    /// <param name="mostPasses">How often a source may be gone through; 0 for any number.</param>
    /// <param name="seed">Which sources are drawn.</param>
    /// <param name="output">The file.</param>
    /// <param name="cancel">Stops; no file is left.</param>
    /// <returns>Documents taken of each source, and how often it was gone through to its end.</returns>
    /// <exception cref="InvalidDataException">A source is empty, or would be gone through more often than it may.</exception>
    public static IReadOnlyList<(long Documents, int Passes)> Write(
        IReadOnlyList<MixtureSource> sources, long documents, double temperature, int mostPasses, ulong seed, string output, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        double[] shares = Shares([.. sources.Select(s => s.Weight)], temperature);
        Draws[] draws = [.. sources.Select(s => new Draws(s, mostPasses))];
        ulong key = CounterRandom.Derive(seed, "mixture");
        try
        {
            CorpusDocuments.WriteFile(output, stream =>
            {
                for (long i = 0; i < documents; i++)
                {
                    cancel.ThrowIfCancellationRequested();
                    double place = CounterRandom.Uniform(key, i);
                    int chosen = 0;
                    while (chosen + 1 < shares.Length && place >= shares[chosen])
                        place -= shares[chosen++];
                    CorpusDocument document = draws[chosen].Next();
                    CorpusDocuments.WriteLine(stream, document, document.Text);
                }
            });
            return [.. draws.Select(d => (d.Taken, d.Ended))];
        }
        finally
        {
            foreach (Draws draw in draws)
                draw.Dispose();
        }
    }

    private sealed class Draws(MixtureSource source, int mostPasses) : IDisposable
    {
        private IEnumerator<CorpusDocument>? _documents;
        private long _ofPass;

        public long Taken { get; private set; }

        public int Ended { get; private set; }

        public CorpusDocument Next()
        {
            _documents ??= CorpusDocuments.Read(source.Files).GetEnumerator();
            if (!_documents.MoveNext())
            {
                Ended++;
                if (_ofPass == 0)
                    throw new InvalidDataException($"{source.Name}: has no documents.");
                if (Ended == mostPasses)
                    throw new InvalidDataException($"{source.Name}: its {_ofPass:N0} documents would be gone through more than {mostPasses} times; lower its weight, ask for fewer documents, or raise --passes.");
                _documents.Dispose();
                _documents = CorpusDocuments.Read(source.Files).GetEnumerator();
                _documents.MoveNext();
                _ofPass = 0;
            }
            Taken++;
            _ofPass++;
            return _documents.Current;
        }

        public void Dispose() => _documents?.Dispose();
    }
}
