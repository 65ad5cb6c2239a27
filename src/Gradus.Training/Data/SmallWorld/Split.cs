namespace Gradus.Training.Data.SmallWorld;

/// <summary>The part of a data set. Which part a combination of facts belongs to depends on the facts alone, not on the seed.</summary>
public enum Split
{
    /// <summary>For fitting parameters: eight in ten combinations of facts.</summary>
    Train,

    /// <summary>For watching and choosing: one in ten.</summary>
    Validation,

    /// <summary>For the final figure: one in ten.</summary>
    Test,
}
