namespace Gradus.Training.Data.Cleaning;

/// <summary>What a cleaning kept and what each of its rules took away, with samples.</summary>
/// <param name="samples">Samples that are kept of each rule.</param>
public sealed class CleaningReport(int samples = 3)
{
    private const int SampleLength = 240;
    private readonly SortedDictionary<string, Loss> _losses = new(StringComparer.Ordinal);

    /// <summary>Documents looked at.</summary>
    public long Documents { get; private set; }

    /// <summary>Documents kept.</summary>
    public long Kept { get; private set; }

    /// <summary>Characters looked at, in UTF-16 units.</summary>
    public long Characters { get; private set; }

    /// <summary>Characters kept.</summary>
    public long KeptCharacters { get; private set; }

    /// <summary>What each rule dropped.</summary>
    public IReadOnlyDictionary<string, Loss> Losses => _losses;

    /// <summary>Counts a document that is kept.</summary>
    /// <param name="before">Its text.</param>
    /// <param name="after">What is kept of it.</param>
    public void Keep(string before, string after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        Documents++;
        Kept++;
        Characters += before.Length;
        KeptCharacters += after.Length;
    }

    /// <summary>Counts a document that is dropped.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="text">Its text.</param>
    public void Drop(string rule, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Documents++;
        Characters += text.Length;
        if (!_losses.TryGetValue(rule, out Loss? loss))
            _losses[rule] = loss = new Loss();
        loss.Add(text, samples, SampleLength);
    }

    /// <summary>What a rule dropped.</summary>
    public sealed class Loss
    {
        private readonly List<string> _samples = [];

        /// <summary>Documents.</summary>
        public long Documents { get; private set; }

        /// <summary>Characters, in UTF-16 units.</summary>
        public long Characters { get; private set; }

        /// <summary>How the first of them begin.</summary>
        public IReadOnlyList<string> Samples => _samples;

        internal void Add(string text, int samples, int length)
        {
            Documents++;
            Characters += text.Length;
            if (_samples.Count < samples)
                _samples.Add(text.Length <= length ? text : $"{text[..length]}…");
        }
    }
}
