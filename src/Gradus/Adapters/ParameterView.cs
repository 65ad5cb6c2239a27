using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>Parameters inside a step: an operation on a parameter alone would be computed in the workspace of the parameter and stay there.</summary>
internal static class ParameterView
{
    /// <summary>The value of a parameter in a step's workspace, without a copy; gradients flow through.</summary>
    public static Tensor In(this Parameter parameter, Workspace step)
    {
        Tensor value = parameter.Value, view = step.View(value, value.Shape, 0);
        if (step.Tape is not null && value.NeedsGradient)
            step.Tape.Record(view, new ViewNode(value));
        return view;
    }

    /// <summary>The same for a parameter that is trained now and then: (rows, columns) without those of other rows or columns.</summary>
    public static Tensor Corner(this Parameter parameter, Workspace step, int rows, int columns)
    {
        Tensor view = parameter.In(step);
        if (rows < view.Shape[0])
            view = view.Rows(0, rows);
        return columns < view.Shape[1] ? view.Columns(0, columns) : view;
    }

    private sealed class ViewNode(Tensor value) : Node
    {
        public override void Backward(Tensor dy) => value.AddGradient(dy.Workspace.View(dy, dy.Shape, 0));
    }
}
