namespace Gradus.Generation;

/// <summary>Whether guessing pays for a sequence: it rests where too few of the last guesses were right.</summary>
internal struct SpeculationRate
{
    /// <summary>Guesses that are judged together.</summary>
    private const int Window = 24;

    /// <summary>Tokens that a sequence goes on without guesses after a window that did not pay.</summary>
    private const int Rest = 64;

    private int _guessed;
    private int _right;
    private int _restsUntil;

    /// <summary>Whether a sequence of so many tokens guesses.</summary>
    public readonly bool Guesses(int tokens) => tokens >= _restsUntil;

    /// <summary>Counts a step's guesses.</summary>
    /// <param name="guessed">How many there were.</param>
    /// <param name="right">How many of them were chosen.</param>
    /// <param name="tokens">The tokens of the sequence by now.</param>
    public void Count(int guessed, int right, int tokens)
    {
        _guessed += guessed;
        _right += right;
        if (_guessed < Window)
            return;
        // A row more costs up to a fifth of a step of one: fewer than a fourth right is a loss.
        if (_right * 4 < _guessed)
            _restsUntil = tokens + Rest;
        _guessed = _right = 0;
    }
}
