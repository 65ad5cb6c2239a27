using Gradus.Models;
using Gradus.Nn;
using Gradus.Training.Data.Tokens;

namespace Gradus.Training.Compression;

/// <summary>Pieces of text that a model reads so that its activations can be measured.</summary>
public sealed class CalibrationText
{
    private const int TokensAtOnce = 2048;
    private const int Fewest = 16;

    private CalibrationText(IReadOnlyList<TokenBatch> batches) => Batches = batches;

    /// <summary>The pieces, several in a batch.</summary>
    public IReadOnlyList<TokenBatch> Batches { get; }

    /// <summary>Tokens of all pieces, those of sources apart.</summary>
    public int Tokens => Batches.Sum(b => b.Count);

    /// <summary>Pieces of equal length from places that are spread evenly over a text. A model with an encoder reads the first half of each and writes the second.</summary>
    /// <param name="text">The text.</param>
    /// <param name="model">The model that is to read them.</param>
    /// <param name="samples">The most pieces, ≥ 1.</param>
    /// <param name="length">Tokens of a piece, ≥ 16; at most the model's context.</param>
    /// <exception cref="InvalidDataException">There are fewer than 16 tokens, or ids that the model does not have.</exception>
    public static CalibrationText Of(TokenSequence text, LanguageModel model, int samples = 128, int length = 512)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, Fewest);
        if (text.Length < Fewest)
            throw new InvalidDataException($"The calibration text has {text.Length} tokens, but {Fewest} at least are needed to measure activations; give more text.");
        length = (int)Math.Min(Math.Min(length, model.Config.ContextLength), text.Length);
        int pieces = (int)Math.Min(samples, text.Length / length);
        List<TokenBatch> batches = [];
        List<int[]> batch = [];
        for (int i = 0; i < pieces; i++)
        {
            int[] piece = new int[length];
            text.Read((text.Length - length) * i / Math.Max(1, pieces - 1), piece);
            if (piece.AsSpan().ContainsAnyExceptInRange(0, model.Config.Vocabulary - 1))
                throw new InvalidDataException($"The calibration text has token ids outside the model's {model.Config.Vocabulary}; use the tokenizer that the model was trained with.");
            batch.Add(piece);
            if ((batch.Count + 1) * length <= TokensAtOnce && i + 1 < pieces)
                continue;
            batches.Add(Batch(batch, model));
            batch = [];
        }
        return new CalibrationText(batches);
    }

    /// <summary>Batches that are there already.</summary>
    /// <param name="batches">One at least.</param>
    public static CalibrationText Of(IReadOnlyList<TokenBatch> batches) => new(batches);

    private static TokenBatch Batch(List<int[]> pieces, LanguageModel model)
    {
        if (model is not EncoderDecoderModel encoded)
            return TokenBatch.Of(pieces);
        TokenBatch written = TokenBatch.Of([.. pieces.Select(p => (int[])[encoded.StartToken, .. p[(p.Length / 2)..^1]])]);
        return new TokenBatch(written.Ids, written.Starts) { Source = TokenBatch.Of([.. pieces.Select(p => p[..(p.Length / 2)])]) };
    }
}
